WITH
-- What both views must hold, computed by DuckDB from the same files, against what they hold: one row for each cell that
-- differs. No row: every cell is equal. FLIGHTS and AIRPORTS stand for the files. A flight that dead_letters has as too
-- late for a window does not count there.
airports AS (SELECT iata FROM read_csv('AIRPORTS', header = true, all_varchar = true)),
late AS (
  SELECT CASE step WHEN 'Delays/HourlyStats' THEN 'hourly_delays'
                   WHEN 'Delays/RouteStats' THEN 'route_delays' END AS view,
         CAST(json_extract_string(element, '$.value.id') AS BIGINT) AS id,
         window_start
  FROM dead_letters
  WHERE name = 'late'
),
valid AS NOT MATERIALIZED (
  SELECT file_row_number AS id,
         time_bucket(INTERVAL 1 HOUR, date) AS hour,
         delay >= 15 AS delayed,
         delay, distance, origin, destination,
         file_row_number IN (SELECT id FROM late) AS is_late
  FROM read_parquet('FLIGHTS', file_row_number = true)
  WHERE delay BETWEEN -120 AND 1440
    AND distance > 0
    AND origin IN (FROM airports)
    AND destination IN (FROM airports)
),
-- Flights that count in every window, by hour, and those that do not, one by one: each stands for some flights.
hours AS (
  SELECT origin, destination, hour,
         count(*) AS flights,
         count(*) FILTER (delayed) AS delayed,
         sum(delay) AS delay_sum,
         max(delay) AS delay_max,
         sum(distance) AS distance_sum
  FROM valid
  WHERE NOT is_late
  GROUP BY ALL
),
-- Few: the late ones of each window are taken away from these only.
in_time AS (
  SELECT * FROM (
    SELECT 'hourly_delays' AS view, id, origin, '' AS destination, hour AS window_start,
           hour + INTERVAL 1 HOUR AS window_end, delayed, delay, distance
    FROM valid
    WHERE is_late
    UNION ALL
    SELECT 'route_delays', id, origin, destination, hour - to_hours(back), hour - to_hours(back) + INTERVAL 6 HOUR,
           delayed, delay, distance
    FROM valid, range(6) AS hours_before(back)
    WHERE is_late
  ) AS candidate
  WHERE NOT EXISTS (FROM late
                    WHERE late.view = candidate.view AND late.id = candidate.id
                      AND late.window_start = candidate.window_start)
),
counted AS (
  SELECT 'hourly_delays' AS view, origin, '' AS destination, hour AS window_start, hour + INTERVAL 1 HOUR AS window_end,
         flights, delayed, delay_sum, delay_max, distance_sum
  FROM hours
  UNION ALL
  SELECT 'route_delays', origin, destination, hour - to_hours(back), hour - to_hours(back) + INTERVAL 6 HOUR,
         flights, delayed, delay_sum, delay_max, distance_sum
  FROM hours, range(6) AS hours_before(back)
  UNION ALL
  SELECT view, origin, destination, window_start, window_end, 1, CAST(delayed AS INTEGER), delay, delay, distance
  FROM in_time
),
expected AS (
  SELECT view, origin, destination, window_start, window_end,
         sum(flights) AS flights, sum(delayed) AS delayed, sum(delay_sum) AS delay_sum, max(delay_max) AS delay_max,
         sum(distance_sum) AS distance_sum
  FROM counted
  GROUP BY ALL
),
found AS (
  SELECT 'hourly_delays' AS view, origin, '' AS destination, * EXCLUDE (origin) FROM hourly_delays
  UNION ALL
  SELECT 'route_delays', * FROM route_delays
)
SELECT view, origin, destination, window_start, window_end,
       expected.flights AS flights_expected, found.flights AS flights_found,
       expected.delayed AS delayed_expected, found.delayed AS delayed_found,
       expected.delay_sum AS delay_sum_expected, found.delay_sum AS delay_sum_found,
       expected.delay_max AS delay_max_expected, found.delay_max AS delay_max_found,
       expected.distance_sum AS distance_sum_expected, found.distance_sum AS distance_sum_found
FROM expected FULL JOIN found USING (view, origin, destination, window_start, window_end)
WHERE (expected.flights, expected.delayed, expected.delay_sum, expected.delay_max, expected.distance_sum)
      IS DISTINCT FROM (found.flights, found.delayed, found.delay_sum, found.delay_max, found.distance_sum)
ORDER BY view, window_start, origin, destination
LIMIT 100
