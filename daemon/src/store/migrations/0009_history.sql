-- Whether strangers may have written some of what was said in a turn; see ../schema.sql. Never edited once released.

alter table turns add column reply_tainted integer not null default 1 check (reply_tainted in (0, 1));
