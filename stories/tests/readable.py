"""What makes a page hard to read or to use, found by a browser in the page as it is drawn."""

from __future__ import annotations

# Text whose colour stands out from what is behind it by less than 4.5 to 1 (WCAG 2.2, 1.4.3), controls that a
# thumb would miss (2.5.8) or that have no name (4.1.2), and pages wider than their screen (1.4.10).
FAULTS = """() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (c) => {
    const [r, g, b] = c.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const [r, g, b, a = 1] = numbers(getComputedStyle(at).backgroundColor);
      if (a === 1) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const faults = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !element.checkVisibility() || element.closest(".unseen, .skip, title")) continue;
    const style = getComputedStyle(element);
    const front = light(numbers(element.closest("svg") ? style.fill : style.color).slice(0, 3));
    const back = light(behind(element));
    const contrast = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
    if (contrast < 4.5) faults.push(`${element.textContent.trim()}: contrast ${contrast.toFixed(2)}`);
  }
  for (const control of document.querySelectorAll("button, input:not([type=hidden]), select, summary")) {
    const { width, height } = control.getBoundingClientRect();
    if (!control.checkVisibility() || (width >= 24 && height >= 24)) continue;
    faults.push(`${control.outerHTML}: too small`);
  }
  for (const control of document.querySelectorAll("button, input:not([type=hidden]), select, a")) {
    const named = control.ariaLabel || control.textContent.trim() || control.labels?.length;
    if (!control.checkVisibility() || named) continue;
    faults.push(`${control.outerHTML}: nameless`);
  }
  if (document.querySelectorAll("h1").length !== 1) faults.push("not one heading for the page");
  if (document.documentElement.scrollWidth > innerWidth) faults.push("scrolls sideways");
  return faults;
}"""
