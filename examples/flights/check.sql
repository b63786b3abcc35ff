WITH
-- What both views must hold, computed by DuckDB from the same files, against what they hold: one row for each cell that
-- differs. No row: every cell is equal. FLIGHTS and AIRPORTS stand for the files.
airports AS (SELECT iata FROM read_csv('AIRPORTS', header = true, all_varchar = true)),
valid AS (
  SELECT date, delay, distance, origin, destination
  FROM read_parquet('FLIGHTS')
  WHERE delay BETWEEN -120 AND 1440
    AND distance > 0
    AND origin IN (FROM airports)
    AND destination IN (FROM airports)
),
hours AS (
  SELECT origin,
         destination,
         time_bucket(INTERVAL 1 HOUR, date) AS hour,
         count(*) AS flights,
         count(*) FILTER (delay >= 15) AS delayed,
         sum(delay) AS delay_sum,
         max(delay) AS delay_max,
         sum(distance) AS distance_sum
  FROM valid
  GROUP BY ALL
),
expected AS (
  SELECT 'hourly_delays' AS view, origin, '' AS destination, hour AS window_start, hour + INTERVAL 1 HOUR AS window_end,
         sum(flights) AS flights, sum(delayed) AS delayed, sum(delay_sum) AS delay_sum, max(delay_max) AS delay_max,
         sum(distance_sum) AS distance_sum
  FROM hours
  GROUP BY ALL
  UNION ALL
  SELECT 'route_delays', origin, destination, hour - to_hours(back), hour - to_hours(back) + INTERVAL 6 HOUR,
         sum(flights), sum(delayed), sum(delay_sum), max(delay_max), sum(distance_sum)
  FROM hours, range(6) AS hours_before(back)
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
