-- What the house went through, apart from turns.

create table events (
  id integer primary key autoincrement,
  at_ms integer not null,
  kind text not null,
  subject text not null,
  detail text not null
) strict;
create index events_by_time on events (at_ms);
