#!lua flags=allow-oom
-- prune: finished tasks past their retention go, keys past their time, and processes that were silent for long.
--
-- ARGV[2] how many tasks at most. Answers how many went.
-- An event tells who finished, not how: the recorder reads the task. So it stays until the event of its end is trimmed.

local BATCH = 1000
-- A member of the line is up to a hundred tasks.
local MEMBERS = 20

-- Whether a task that is named with others may leave with them: it may have been retried since, and stand by itself.
local function leavesWith(id, task, standsAlone)
  if standsAlone or not task or not isFinished(task[STATE]) then return false end
  local at = math.min(task[PRUNE_AT], task[FINISHED_AT] + limits.liveKeepMs)
  if at > now then set(scores, 'finished', id, at) end
  return at <= now
end

-- Answers how many of one member went; those for whom it is too early stay named.
local function pruneMember(member, score, recordedAt, most)
  local ids, left, count = words(member), {}, 0
  local isAlone = #ids == 1
  load(ids, true)
  local standing = isAlone and nothing or call('ZMSCORE', prefix .. 'finished', unpack(ids))
  for i, id in ipairs(ids) do
    local task = tasks[id]
    if (isAlone and task and isFinished(task[STATE])) or leavesWith(id, task, isAlone or standing[i]) then
      local isRecorded = count < most and task[FINISHED_AT] < recordedAt
      local isNeeded = isRecorded and edges.isNeeded(id)
      if isNeeded == 'no' then
        erase('prune', id, task)
        count = count + 1
        -- Nothing of its own stands there.
        scores.finished[id] = nil
      elseif isNeeded ~= 'yes' then
        left[#left + 1] = id
      end
    end
  end
  if #left == #ids then return count end
  set(scores, 'finished', member, false)
  if #left > 0 then set(scores, 'finished', table.concat(left, ' '), score) end
  return count
end

return function()
  -- What an unfinished task may still ask for leaves the line, so that it holds up no other: see `edges.askBack`.
  local oldest = call('XRANGE', prefix .. 'events', '-', '+', 'COUNT', 1)[1]
  local recordedAt = oldest and tonumber(oldest[2][2]) or math.huge
  local erased, most, looked, passed = 0, tonumber(ARGV[2]), 0, 0
  while erased < most and looked < BATCH do
    local found = call('ZRANGEBYSCORE', prefix .. 'finished', '-inf', now, 'WITHSCORES', 'LIMIT', passed, MEMBERS)
    if #found == 0 then break end
    passed = passed + #found / 2
    for i = 1, #found, 2 do
      if erased < most and looked < BATCH then
        looked = looked + math.ceil(#found[i] / (ID_LENGTH + 1))
        erased = erased + pruneMember(found[i], found[i + 1], recordedAt, most - erased)
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
  local kept = call('ZRANGEBYSCORE', prefix .. 'keptKeys', '-inf', now, 'LIMIT', 0, BATCH)
  loadKeys(kept)
  for _, key in ipairs(kept) do
    -- What an earlier version has stored may name keys here that somebody has taken since.
    if not holderOf(key) then set(puts, 'keys', key, false) end
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
