#!lua flags=allow-oom
-- cancel: what waits is cancelled, what runs gets the wish; of a flow also what comes to it later.
--
-- ARGV[2] ids, ARGV[3] "1" when there are words for people, ARGV[4] these, ARGV[5] a flow or nothing
-- Answers a word for each, and after them for each task of the flow that was unfinished: "cancelled", "requested" (a new
-- wish), "again" (the wish was there), "unknown", or "already" and the state; the signals, and the ids of the flow.

return function()
  local said = ARGV[3] == '1' and ARGV[4]

  local function request(id, task)
    if task[CANCEL_AT] then return 'again' end
    task[CANCEL_AT], task[VERSION] = now, task[VERSION] + 1
    setAside(id, task, 'w', said)
    dirty[id] = task
    set(scores, 'deadlines', id, deadlineOf(task))
    record('cancelRequest', id, task, 'running', 'running')
    return 'requested'
  end

  local function cancelOne(id)
    local task = tasks[id]
    if not task then return 'unknown' end
    if isFinished(task[STATE]) then return 'already ' .. task[STATE] end
    if task[STATE] == 'running' then return request(id, task) end
    cancelWaiting('cancel', id, task, said)
    return 'cancelled'
  end

  -- The wish stays: it is for tasks that arrive, or are let go by their parents, after this call.
  local function unfinishedOf(flowId, named)
    local members, ids = call('SMEMBERS', prefix .. 'flow:' .. flowId), {}
    set(puts, 'cancelledFlows', flowId, cjson.encode({ now, said }))
    set(scores, 'flowWishes', flowId, now)
    table.sort(members)
    edges.load(members)
    for _, id in ipairs(members) do
      local task = tasks[id]
      if task and not isFinished(task[STATE]) and not named[id] and #ids < limits.flowCancelMax then ids[#ids + 1] = id end
    end
    return ids
  end

  local ids, answers, named = words(ARGV[2]), {}, {}
  load(ids)
  for i, id in ipairs(ids) do
    answers[i], named[id] = cancelOne(id), true
  end
  local ofFlow = ARGV[5] ~= '' and unfinishedOf(ARGV[5], named) or {}
  for _, id in ipairs(ofFlow) do
    answers[#answers + 1] = cancelOne(id)
  end
  release()
  write()
  return { answers, signals(), ofFlow }
end
