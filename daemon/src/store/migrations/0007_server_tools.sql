create table server_tools (
  server text not null,
  tool text not null,
  pin blob not null check (length(pin) = 32),
  described text not null,
  address text not null,
  primary key (server, tool)
) strict, without rowid;
