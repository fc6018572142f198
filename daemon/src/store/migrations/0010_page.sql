-- What of an answer is read rather than heard; see ../schema.sql. Never edited once released.

alter table turns add column page text;
