ALTER TABLE agreements
  ADD COLUMN stop_comment VARCHAR(200);
