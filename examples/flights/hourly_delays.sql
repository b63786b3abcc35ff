-- The view hourly_delays of definition.cc, from the raw events: what `recompute --batch_engine=sql` runs. The options of
-- the program are variables.
WITH
airports AS (
  SELECT iata, state
  FROM read_csv(if(getvariable('airports') <> '', getvariable('airports'),
                   regexp_replace(getvariable('input'), '[^/]*$', 'airports.csv')),
                header = true, all_varchar = true)
),
texts AS (SELECT "partition", "offset", event_time, TRY(decode(data)) AS event FROM events),
-- Numbers stay JSON at first: "5" is a text, and no number.
parsed AS (
  SELECT * EXCLUDE (event),
         unnest(from_json(CASE WHEN json_valid(event) THEN event END,
                          '{"id": "JSON", "at": "VARCHAR", "delay": "JSON", "distance": "JSON", "origin": "VARCHAR",
                            "destination": "VARCHAR"}'))
  FROM texts
),
typed AS (
  SELECT "partition", "offset", event_time, CAST(id AS BIGINT) AS id, CAST(delay AS INTEGER) AS delay,
         CAST(distance AS INTEGER) AS distance, origin, destination
  FROM parsed
  WHERE json_type(id) IN ('BIGINT', 'UBIGINT')
    AND json_type(delay) IN ('BIGINT', 'UBIGINT')
    AND json_type(distance) IN ('BIGINT', 'UBIGINT')
    AND TRY_CAST("at" AS TIMESTAMP) IS NOT NULL
),
valid AS (
  SELECT typed.*,
         delay >= if(airports.state = getvariable('delayed_state'), getvariable('delayed_minutes'), 15) AS is_delayed
  FROM typed JOIN airports ON origin = iata
  WHERE destination IN (SELECT iata FROM airports)
    AND delay BETWEEN -120 AND 1440
    AND distance > 0
),
-- Of the events with one id, the first.
flights AS (SELECT * FROM valid QUALIFY row_number() OVER (PARTITION BY id ORDER BY "partition", "offset") = 1)
SELECT origin,
       date_trunc('hour', event_time) AS window_start,
       date_trunc('hour', event_time) + INTERVAL 1 HOUR AS window_end,
       count(*) AS flights,
       count(*) FILTER (is_delayed) AS delayed,
       CAST(sum(delay) AS BIGINT) AS delay_sum,
       CAST(max(delay) AS BIGINT) AS delay_max,
       CAST(sum(distance) AS BIGINT) AS distance_sum
FROM flights
GROUP BY ALL
