WITH
-- What the views must hold, computed by DuckDB from the same files, against what they hold: one row for each cell that
-- differs. No row: every cell is right. FLIGHTS and WEATHER stand for the files. A flight that dead_letters has as too late
-- for its hour does not count there.
flights AS (
  SELECT carrier || flight || ' ' || time_hour AS id,
         CAST(time_hour AS TIMESTAMP) AS hour,
         CAST(time_hour AS TIMESTAMP) + to_minutes(CAST(minute AS BIGINT)) AS scheduled,
         CAST(dep_delay AS BIGINT) AS delay,
         tailnum AS tail, origin, dest AS destination, CAST(distance AS BIGINT) AS distance
  FROM read_csv('FLIGHTS', header = true, all_varchar = true, nullstr = 'NA')
),
weather AS (
  SELECT origin, CAST(time_hour AS TIMESTAMP) AS hour, CAST(temp AS DOUBLE) AS temp,
         CAST(wind_speed AS DOUBLE) AS wind_speed, CAST(precip AS DOUBLE) AS precip, CAST(visib AS DOUBLE) AS visib
  FROM read_csv('WEATHER', header = true, all_varchar = true, nullstr = 'NA')
),
late AS (
  SELECT step, coalesce(json_extract_string(element, '$.value.flight.id'),
                        json_extract_string(element, '$.value.id')) AS id
  FROM dead_letters
  WHERE name = 'late'
),
-- The join of each hour and airport.
departures AS (
  SELECT origin, hour,
         count(*) AS flights,
         count(*) FILTER (delay IS NULL) AS cancelled,
         count(*) FILTER (delay >= 15) AS delayed,
         coalesce(sum(delay), 0) AS delay_sum
  FROM flights
  WHERE id NOT IN (SELECT id FROM late WHERE step = 'Nyc/Join' AND id IS NOT NULL)
  GROUP BY ALL
),
hours AS (
  SELECT coalesce(departures.origin, weather.origin) AS origin,
         coalesce(departures.hour, weather.hour) AS window_start,
         coalesce(flights, 0) AS flights, coalesce(cancelled, 0) AS cancelled, coalesce(delayed, 0) AS delayed,
         coalesce(delay_sum, 0) AS delay_sum, temp, wind_speed, precip, visib
  FROM departures FULL JOIN weather ON departures.origin = weather.origin AND departures.hour = weather.hour
),
-- Sessions: a new one wherever six hours have passed since the aircraft's departure before.
turns AS (
  SELECT *, coalesce(scheduled >= lag(scheduled) OVER by_tail + INTERVAL 6 HOUR, true) AS begins
  FROM flights
  WHERE delay IS NOT NULL AND tail IS NOT NULL
    AND id NOT IN (SELECT id FROM late WHERE step = 'Nyc/Aircraft' AND id IS NOT NULL)
  WINDOW by_tail AS (PARTITION BY tail ORDER BY scheduled)
),
numbered AS (
  SELECT *, count(*) FILTER (begins) OVER (PARTITION BY tail ORDER BY scheduled) AS session FROM turns
),
sessions AS (
  SELECT tail, min(scheduled) AS window_start, max(scheduled) + INTERVAL 6 HOUR AS window_end,
         count(*) AS departures, sum(delay) AS delay_sum, max(delay) AS delay_max, sum(distance) AS distance_sum
  FROM numbered
  GROUP BY tail, session
)
SELECT 'hourly_weather' AS view, coalesce(expected.origin, got.origin) AS key,
       coalesce(expected.window_start, got.window_start) AS window_start
FROM hours AS expected
  FULL JOIN hourly_weather AS got ON expected.origin = got.origin AND expected.window_start = got.window_start
WHERE (expected.flights, expected.cancelled, expected.delayed, expected.delay_sum, expected.temp, expected.wind_speed,
       expected.precip, expected.visib)
      IS DISTINCT FROM
      (got.flights, got.cancelled, got.delayed, got.delay_sum, got.temp, got.wind_speed, got.precip, got.visib)
   OR got.window_end IS DISTINCT FROM got.window_start + INTERVAL 1 HOUR
UNION ALL
SELECT 'aircraft_sessions', coalesce(expected.tail, got.tail), coalesce(expected.window_start, got.window_start)
FROM sessions AS expected
  FULL JOIN aircraft_sessions AS got
  ON expected.tail = got.tail AND expected.window_start = got.window_start AND expected.window_end = got.window_end
WHERE (expected.departures, expected.delay_sum, expected.delay_max, expected.distance_sum)
      IS DISTINCT FROM (got.departures, got.delay_sum, got.delay_max, got.distance_sum)
UNION ALL
-- A flight's weather is what was observed at its airport at the hour that it names. Which hour that is depends on when the
-- events came; in batch mode it is the last one.
SELECT 'enriched_flights', coalesce(expected.id, got.id), got.observed
FROM flights AS expected
  FULL JOIN enriched_flights AS got ON expected.id = got.id
  LEFT JOIN weather ON weather.origin = got.origin AND weather.hour = got.observed
WHERE (expected.origin, expected.scheduled, expected.delay) IS DISTINCT FROM (got.origin, got.scheduled, got.delay)
   OR (weather.hour, weather.temp, weather.wind_speed, weather.precip, weather.visib)
      IS DISTINCT FROM (got.observed, got.temp, got.wind_speed, got.precip, got.visib)
ORDER BY ALL
