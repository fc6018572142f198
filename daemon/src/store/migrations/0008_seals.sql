-- What an approval's second seal needs. Never edited once released; see ../schema.sql for what the columns mean.

create table approval_standings (
  approval_id integer primary key references approvals (id),
  spoken_ms integer,
  seal blob not null check (length(seal) = 32)
) strict;
