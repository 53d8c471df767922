#!lua flags=no-writes
-- getWorkers: what the processes have said about themselves.
--
-- Answers presences, definitions, times of the first and of the last beat, each as Redis lists a hash.

return {
  call('HGETALL', prefix .. 'presences'),
  call('HGETALL', prefix .. 'definitions'),
  call('HGETALL', prefix .. 'firstBeats'),
  call('ZRANGE', prefix .. 'beats', 0, -1, 'WITHSCORES'),
}
