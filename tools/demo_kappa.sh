# Sourced by tools/demo. One process publishes the flights into the event log, with some sent twice, some late and garbage
# between them; another one runs the topology: it makes two views live, and archives the log. It is killed in the middle
# and resumes. Then everything is recomputed beside it from the archive, found equal, and promoted; a changed definition is
# recomputed, held against what was expected of it, promoted, and rolled back. In the end every cell of each generation is
# held against DuckDB SQL over the clean file less what that generation wrote down as too late, and the dead letters
# against what the publisher says it did.
# shellcheck shell=bash disable=SC2154

live=$work/kappa
options=(--checkpoint_interval=2s --threads="$threads" --airports="$data/airports.csv" --data_dir="$live")

start_run() {
  "$flights" run --topology=kappa --archive_after=2s --archive_interval=2s "${options[@]}" 2>>"$work/run.txt" &
  run=$!
  children+=("$run")
}

say "Kappa: one process runs the topology (parse, validate, deduplicate, enrich, two views; it archives the log as well)"
start_run
wait_for 20 test -e "$live/log/flights/topic.json"

say "Another one publishes three million flights: 1% sent twice, 1% two hours late, 0.1% garbage"
"$flights" publish "$input" --data_dir="$live" --rate="$rate" --duplicates=0.01 --late=0.01 --late_by=2h \
  --garbage=0.001 --seed=1 --sync=interval --close --report="$work/report.json" 2>"$work/publish.txt" &
publish=$!
children+=("$publish")
sleep 12
tail -n 1 "$work/publish.txt"
"$flights" status --data_dir="$live"

say "SIGKILL in the middle, and the same command again"
kill -KILL "$run"
wait "$run" 2>/dev/null || true
"$flights" checkpoints list --data_dir="$live"
start_run
sleep 5

say "Replay: the same definition over the archive, then live from the cut, beside the run; promoted if it is equal"
"$flights" replay --promote=when_equal "${options[@]}" 2>"$work/replay.txt" &
replay=$!
children+=("$replay")
wait_for 20 "$flights" status --generation=2 --data_dir="$live"
sleep 3
"$flights" generations list --data_dir="$live"
"$flights" status --generation=2 --data_dir="$live" | sed -n 1,6p

say "Until all are done: the publisher closes the topic, so run and replay come to an end as well"
wait "$publish" || { cat "$work/publish.txt"; die "the publisher failed"; }
tail -n 1 "$work/publish.txt"
wait "$run" || { cat "$work/run.txt"; die "the run failed"; }
tail -n 1 "$work/run.txt"
wait "$replay" || { cat "$work/replay.txt"; die "the replay failed"; }
cat "$work/replay.txt"
children=()

say "Another definition: in Illinois delayed means by 20 minutes or more. What may differ is declared first, as SQL"
cat >"$work/expected.sql" <<SQL
-- Only the count of delayed flights may differ, downwards, and only in Illinois; and there something does.
FROM diff.hourly_delays WHERE kind <> 'mismatch' OR old_flights <> new_flights OR old_delay_sum <> new_delay_sum
                           OR old_delay_max <> new_delay_max OR new_delayed >= old_delayed;
SELECT origin FROM diff.hourly_delays JOIN '$data/airports.csv' ON iata = origin WHERE state <> 'IL';
SELECT origin FROM diff.route_delays JOIN '$data/airports.csv' ON iata = origin WHERE state <> 'IL';
SELECT 'nothing differs' WHERE NOT EXISTS (FROM diff.hourly_delays);
SQL
cat "$work/expected.sql"
say "The topic is closed: this replay reads all of it, ends, and is then compared and promoted"
"$flights" replay --delayed_state=IL --delayed_minutes=20 --promote=when_expected="$work/expected.sql" "${options[@]}" \
  >"$work/replay2.txt" 2>&1 || { cat "$work/replay2.txt"; die "the replay of the changed definition failed"; }
tail -n 12 "$work/replay2.txt"
count="SELECT sum(flights) AS flights_from_ohare, sum(delayed) AS delayed FROM hourly_delays WHERE origin = 'ORD'"
"$flights" sql "$count" --data_dir="$live"

say "And back: one rename"
"$flights" generations rollback --data_dir="$live"
"$flights" sql "$count" --data_dir="$live"
"$flights" generations list --data_dir="$live"

say "The archive, every file against the manifest"
"$flights" archive run --flush --data_dir="$live"
"$flights" archive verify --data_dir="$live"

say "Every cell of each generation against DuckDB SQL over the clean file, less what it wrote down as too late"
check check_live.sql "cells" 1
check check_live.sql "cells" 2
check check_live.sql "cells" 3 20
for generation in 1 2 3; do
  "$flights" ledger --data_dir="$live" --generation=$generation >"$work/ledger.txt" || { cat "$work/ledger.txt"; die "the ledger does not balance"; }
  check check_dead_letters.sql "dead letters" $generation
  "$flights" sql "
    SELECT (SELECT count(*) FROM hourly_delays) + (SELECT count(*) FROM route_delays) AS cells_equal_to_sql,
           (SELECT count(*) FROM dead_letters WHERE name = 'flights') AS dead_letters_as_published,
           (SELECT count(*) FROM dead_letters WHERE name = 'late') AS flight_windows_too_late" \
    --data_dir="$live" --generation=$generation
done

say "The conservation ledger of what is read: what each step took in and what became of it"
"$flights" ledger --data_dir="$live" --generation=2 | sed -n "/^epochs/,\$p"

say "The ten worst hours at an airport, of those with at least 20 flights"
"$flights" sql "
  SELECT origin AS airport, city, state, window_start AS hour, flights, delayed,
         round(delay_sum / flights, 1) AS mean_delay_minutes, delay_max AS worst_minutes
  FROM hourly_delays JOIN read_csv('$data/airports.csv', header = true, all_varchar = true) ON origin = iata
  WHERE flights >= 20
  ORDER BY delay_sum / flights DESC, origin, window_start
  LIMIT 10" --data_dir="$live"

say "One airport on one morning, looked up by key"
"$flights" query hourly_delays ORD --from=2001-06-14T12:00:00Z --to=2001-06-14T18:00:00Z --data_dir="$live"
