#!lua flags=allow-oom
-- prune: finished tasks past their retention go, keys past their time, and processes that were silent for long.
--
-- ARGV[2] how many tasks at most. Answers how many went.

local BATCH = 1000

local ids = call('ZRANGEBYSCORE', prefix .. 'finished', '-inf', now, 'LIMIT', 0, ARGV[2])
load(ids, true)
for _, id in ipairs(ids) do
  erase('prune', id, tasks[id])
end
for _, key in ipairs(call('ZRANGEBYSCORE', prefix .. 'keptKeys', '-inf', now, 'LIMIT', 0, BATCH)) do
  set(puts, 'keys', key, false)
  set(scores, 'keptKeys', key, false)
end
local silentAt = now - 3 * limits.presenceMs
for _, workerId in ipairs(call('ZRANGEBYSCORE', prefix .. 'beats', '-inf', silentAt, 'LIMIT', 0, BATCH)) do
  forgetWorker(workerId)
end
write()
return #ids
