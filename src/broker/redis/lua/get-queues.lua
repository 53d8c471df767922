#!lua flags=no-writes
-- getQueues: the kept counts, the pauses, of each queue the due time of its oldest queued task, and its limit.
--
-- Answers counts, pauses (both as Redis lists a hash), queue and due time of each that has queued tasks, queue and limit of each
-- that has one.

return function()
  local counts, pauses, oldest, seen = call('HGETALL', prefix .. 'counts'), call('HGETALL', prefix .. 'queues'), {}, {}

  local function oldestIn(queue)
    local key, dueAt = prefix .. queueKey(queue), nil
    for priority = 0, 9 do
      local from = string.format('%.0f', priority * PRIORITY_STEP)
      local to = string.format('(%.0f', (priority + 1) * PRIORITY_STEP)
      local first = call('ZRANGEBYSCORE', key, from, to, 'WITHSCORES', 'LIMIT', 0, 1)
      if first[2] then dueAt = earlier(dueAt, tonumber(first[2]) - priority * PRIORITY_STEP) end
      local packed = call('ZRANGEBYSCORE', key .. ':packs', from, to, 'WITHSCORES', 'LIMIT', 0, 1)
      if packed[2] then dueAt = earlier(dueAt, tonumber(packed[2]) - priority * PRIORITY_STEP) end
    end
    local grouped = call('ZRANGE', key .. ':grouped', 0, 0, 'WITHSCORES')
    return earlier(dueAt, tonumber(grouped[2]))
  end

  for i = 1, #counts, 2 do
    local queue = cjson.decode(counts[i])[1]
    if not seen[queue] then
      seen[queue] = true
      local dueAt = oldestIn(queue)
      if dueAt then
        oldest[#oldest + 1], oldest[#oldest + 2] = queue, dueAt
      end
    end
  end
  local limited = {}
  for i = 1, #pauses, 2 do
    local queue = pauses[i]
    pauses[i + 1] = gate.readQueue(queue, pauses[i + 1])
    if gate.queueRules[queue] then
      limited[#limited + 1], limited[#limited + 2] = queue, call('HGET', prefix .. 'limits', gate.QUEUE_MARK .. queue)
    end
  end
  return { counts, pauses, oldest, limited }
end
