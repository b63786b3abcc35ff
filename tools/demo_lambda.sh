# Sourced by tools/demo. The same definition and the same flights as a Lambda topology: the run makes the views live and
# lacks the flights that come too late; beside it each day is computed again from the archive once it has passed, late
# flights included. One day is asked for before and after. In the end every cell of the merged views is held against DuckDB
# SQL over all flights of the clean file.
# shellcheck shell=bash disable=SC2154

live=$work/lambda
options=(--checkpoint_interval=2s --threads="$threads" --airports="$data/airports.csv" --data_dir="$live")
sql() { "$flights" sql "$1" --data_dir="$live" "${@:2}"; }

say "Lambda: one process runs the speed layer and archives; it has the batch layer compute each day that has passed"
"$flights" run --topology=lambda --archive_after=2s --archive_interval=2s "${options[@]}" 2>"$work/lambda_run.txt" &
run=$!
children+=("$run")
wait_for 20 test -e "$live/log/flights/topic.json"

say "Another one publishes the same three million flights: 1% sent twice, 1% two hours late, 0.1% garbage"
"$flights" publish "$input" --data_dir="$live" --rate="$rate" --duplicates=0.01 --late=0.01 --late_by=2h \
  --garbage=0.001 --seed=1 --sync=interval --close --report="$work/report.json" 2>"$work/lambda_publish.txt" &
publish=$!
children+=("$publish")
wait_for 60 test -e "$live/batch/manifest.json"
wait_for 60 grep -q '"partitions":\[{' "$live/batch/manifest.json"
sleep 4
"$flights" status --data_dir="$live" | sed -n '/^job/,/^$/p' | head -n 12

# The last day that the speed layer has wholly, while the batch layer has not come to it.
day=$(sql "SELECT CAST(max(window_end) - INTERVAL 30 HOUR AS DATE) FROM warehouse.hourly_delays" --format=csv | tail -n 1)
whole_day="
  SELECT _source, _version, count(*) AS cells, count(*) FILTER (_final) AS final, sum(flights) AS flights
  FROM hourly_delays
  WHERE window_start >= DATE '$day' AND window_end <= DATE '$day' + 1 GROUP BY ALL"
passed() {
  [[ $(sql "$whole_day" --format=csv | tail -n 1) == batch,* ]]
}
say "The flights of $day, which the batch layer has not computed yet: provisional, without the ones that came too late"
sql "$whole_day"
wait_for 120 passed
say "The same question when it has: final, with all of them"
sql "$whole_day"

say "Until all are done: the publisher closes the topic, and the last days are computed"
wait "$publish" || { cat "$work/lambda_publish.txt"; die "the publisher failed"; }
tail -n 1 "$work/lambda_publish.txt"
wait "$run" || { cat "$work/lambda_run.txt"; die "the run failed"; }
grep -E ': version|done in' "$work/lambda_run.txt"
children=()
"$flights" status --data_dir="$live"

say "Every cell of the merged views against DuckDB SQL over all flights of the clean file, late ones included"
check check.sql "merged cells" 1
sql "
  SELECT _source, (SELECT count(*) FROM hourly_delays) + (SELECT count(*) FROM route_delays) AS cells_equal_to_sql,
         sum(flights) AS flights, (SELECT sum(flights) FROM warehouse.hourly_delays) AS flights_of_the_speed_layer_alone
  FROM hourly_delays GROUP BY _source"

say "The agreement certificate: batch and speed have the same cells, but for those that late flights belong to"
"$flights" reconcile --data_dir="$live" --airports="$data/airports.csv"

say "A second opinion: a week by SQL over the raw events, which has nothing in common with the pipeline"
by_sql=(--from=2001-03-05 --to=2001-03-12 --batch_engine=sql --data_dir="$live" --airports="$data/airports.csv")
"$flights" recompute "${by_sql[@]}" --sql_folder="$root/examples/flights"
"$flights" reconcile --data_dir="$live" --airports="$data/airports.csv"

say "The same week by SQL that is wrong: one airport's flights with a delay of 100 minutes are taken for invalid"
mkdir -p "$work/wrong"
cp "$root/examples/flights/route_delays.sql" "$work/wrong/"
sed "s/AND distance > 0/AND distance > 0 AND NOT (origin = 'LNK' AND delay = 100)/" \
  "$root/examples/flights/hourly_delays.sql" >"$work/wrong/hourly_delays.sql"
"$flights" recompute "${by_sql[@]}" --sql_folder="$work/wrong" --force
if "$flights" reconcile --data_dir="$live" --airports="$data/airports.csv" >"$work/certificate.txt"; then
  die "the wrong SQL was not found"
fi
cat "$work/certificate.txt"
"$flights" recompute --from=2001-03-05 --to=2001-03-12 --force --data_dir="$live" --airports="$data/airports.csv"
"$flights" reconcile --data_dir="$live" --airports="$data/airports.csv" >/dev/null || die "the days that were mended differ"

say "The same, read as it was when the first days were computed"
sql "SELECT _source, count(*) AS cells FROM hourly_delays GROUP BY ALL ORDER BY ALL" --as_of=1

say "The current version of each day is Parquet that any client reads: batch/current/hourly_delays/day=.../cells.parquet"
find "$live/batch/current/hourly_delays" -name cells.parquet | sort | sed -n '1p;$p'
du -sh "$live/log" "$live/archive" "$live/generation-1" "$live/batch"
