#!lua flags=allow-oom
-- promote: scheduled → queued for what is due, the oldest first, and what is left of parents with very many children.
--
-- ARGV[2] how many at most. Answers how many, the signals, and the time to the next due one, -1 without one.

return function()
  local ids = call('ZRANGEBYSCORE', prefix .. 'scheduled', '-inf', now, 'LIMIT', 0, ARGV[2])
  load(ids)
  for _, id in ipairs(ids) do
    local task = tasks[id]
    local from = leave(id, task)
    task[STATE], task[REASON] = 'queued', false
    enter('promote', id, task, from)
  end
  releaseMore()
  release()
  write()
  if call('EXISTS', prefix .. 'releasing') == 1 then return { #ids, signals(), 0 } end
  local first = call('ZRANGE', prefix .. 'scheduled', 0, 0, 'WITHSCORES')
  return { #ids, signals(), first[2] and math.max(0, tonumber(first[2]) - now) or -1 }
end
