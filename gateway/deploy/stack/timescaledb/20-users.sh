#!/bin/sh
# Run once, by the database's container, when its volume is new: who may write and who may only read.
set -eu
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    --set telegraf="$TELEGRAF_PASSWORD" --set grafana="$GRAFANA_PASSWORD" <<'SQL'
CREATE ROLE telegraf LOGIN PASSWORD :'telegraf';
CREATE ROLE grafana LOGIN PASSWORD :'grafana' CONNECTION LIMIT 20;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO telegraf;
GRANT USAGE ON SCHEMA public TO grafana;
SQL
