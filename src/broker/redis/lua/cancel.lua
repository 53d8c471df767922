#!lua flags=allow-oom
-- cancel: what waits is cancelled, what runs gets the wish; of a flow also what comes to it later.
--
-- ARGV[2] ids, ARGV[3] "1" when there are words for people, ARGV[4] these, ARGV[5] a flow or nothing, ARGV[6] a JSON list of patterns, or nothing
-- Answers a word for each, and after them for each task of the flow that was unfinished: "cancelled", "requested" (a new
-- wish), "again" (the wish was there), "unknown", or "already" and the state; the signals, and the ids of the flow. Where there are patterns, and one
-- of all these tasks is unfinished in a queue that none of them reaches: "forbidden" for each id, and nothing is done.

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
  local function unfinishedOf(members, flowId, named)
    local ids = {}
    set(puts, 'cancelledFlows', flowId, cjson.encode({ now, said }))
    set(scores, 'flowWishes', flowId, now)
    for _, id in ipairs(members) do
      local task = tasks[id]
      if task and not isFinished(task[STATE]) and not named[id] and #ids < limits.flowCancelMax then ids[#ids + 1] = id end
    end
    return ids
  end

  local function membersOf(flowId)
    if flowId == '' then return {} end
    local members = call('SMEMBERS', prefix .. 'flow:' .. flowId)
    table.sort(members)
    edges.load(members)
    return members
  end

  local function areReached(form, list)
    for _, id in ipairs(list) do
      local task = tasks[id]
      if task and not isFinished(task[STATE]) and not arrivals.reaches(form, shapes[task[SHAPE]][QUEUE]) then return false end
    end
    return true
  end

  local ids, members, answers, named = words(ARGV[2]), membersOf(ARGV[5]), {}, {}
  load(ids)
  local form = { [6] = ARGV[6] ~= '' and cjson.decode(ARGV[6]) }
  if form[6] and not (areReached(form, ids) and areReached(form, members)) then
    for i = 1, #ids do
      answers[i] = 'forbidden'
    end
    return { answers, signals(), {} }
  end
  for i, id in ipairs(ids) do
    answers[i], named[id] = cancelOne(id), true
  end
  local ofFlow = ARGV[5] ~= '' and unfinishedOf(members, ARGV[5], named) or {}
  for _, id in ipairs(ofFlow) do
    answers[#answers + 1] = cancelOne(id)
  end
  release()
  write()
  return { answers, signals(), ofFlow }
end
