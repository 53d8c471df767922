#!lua flags=allow-oom
-- prune: finished tasks past their retention go, keys past their time, and processes that were silent for long.
--
-- ARGV[2] how many tasks at most. Answers how many went.
-- An event tells who finished, not how: the recorder reads the task. So it stays until the event of its end is trimmed.

local BATCH = 1000

return function()
  -- What an unfinished task may still ask for leaves the line, so that it holds up no other: see `edges.askBack`.
  local oldest = call('XRANGE', prefix .. 'events', '-', '+', 'COUNT', 1)[1]
  local recordedAt = oldest and tonumber(oldest[2][2]) or math.huge
  local erased, most, looked = 0, tonumber(ARGV[2]), 0
  while erased < most and looked < BATCH do
    local ids = call('ZRANGEBYSCORE', prefix .. 'finished', '-inf', now, 'LIMIT', looked, most - erased)
    if #ids == 0 then break end
    looked = looked + #ids
    load(ids, true)
    for _, id in ipairs(ids) do
      local isRecorded = tasks[id][FINISHED_AT] < recordedAt
      local isNeeded = isRecorded and edges.isNeeded(id)
      if isNeeded == 'yes' then
        set(scores, 'finished', id, false)
      elseif isNeeded == 'no' then
        erase('prune', id, tasks[id])
        erased = erased + 1
      end
    end
  end

  local function isEmpty(flowId)
    local left = call('SCARD', prefix .. 'flow:' .. flowId)
    for _ in pairs(members['flow:' .. flowId] or {}) do
      left = left - 1
    end
    return left == 0
  end
  -- A wish whose flow has tasks leaves the line, and stands in it again when one of them goes: see `erase`.
  local oldAt, oldWishes = now - limits.eventsKeepMs, {}
  for _, flowId in ipairs(call('ZRANGEBYSCORE', prefix .. 'flowWishes', '-inf', oldAt, 'LIMIT', 0, BATCH)) do
    oldWishes[flowId] = true
  end
  for flowId, at in pairs(scores.flowWishes or {}) do
    if at <= oldAt then oldWishes[flowId] = true end
  end
  for flowId in pairs(oldWishes) do
    if isEmpty(flowId) then set(puts, 'cancelledFlows', flowId, false) end
    set(scores, 'flowWishes', flowId, false)
  end
  for _, key in ipairs(call('ZRANGEBYSCORE', prefix .. 'keptKeys', '-inf', now, 'LIMIT', 0, BATCH)) do
    set(puts, 'keys', key, false)
    set(scores, 'keptKeys', key, false)
  end
  -- A rate whose tokens are all back says nothing.
  for _, name in ipairs(call('ZRANGEBYSCORE', prefix .. 'tats', '-inf', now * 1000, 'LIMIT', 0, BATCH)) do
    set(scores, 'tats', name, false)
  end
  local silentAt = now - 3 * limits.presenceMs
  for _, workerId in ipairs(call('ZRANGEBYSCORE', prefix .. 'beats', '-inf', silentAt, 'LIMIT', 0, BATCH)) do
    forgetWorker(workerId)
  end
  write()
  return erased
end
