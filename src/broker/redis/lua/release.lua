-- What follows from the end of a task: the edges to its children close, and whose last parent it was may run.

local function flowOf(id)
  if not rows[id] then load({ id }, true) end
  local _, _, more = ownOf(rows[id])
  return more and cjson.decode(more)[1] or nil
end

-- Who asked for the end of a flow: { at, words }; nil when nobody did.
local function wishOf(flowId)
  if type(flowId) ~= 'string' then return nil end
  local pending = puts.cancelledFlows and puts.cancelledFlows[flowId]
  if pending == false then return nil end
  local text = pending or call('HGET', prefix .. 'cancelledFlows', flowId)
  return text and cjson.decode(text) or nil
end

-- Ends a task that waits.
local function cancelWaiting(kind, id, task, said)
  freeKey(id, task)
  local from = leave(id, task)
  task[STATE], task[REASON], task[FINISHED_AT] = 'cancelled', 'user', now
  task[PRUNE_AT] = now + shapes[task[SHAPE]][KEEP_MS]
  setAside(id, task, 'w', said)
  enter(kind, id, task, from)
end

-- Also when the parent was restored as finished. Of very many children the next calls of `promote` let go: `releasing` has by parent
-- the child behind which they go on.
local function closeEdges(parent)
  local before = call('HGET', prefix .. 'releasing', parent)
  local after, state = before or '', tasks[parent] and tasks[parent][STATE]
  local children, more = {}, after
  if edges.left > 0 then children, more = edges.childrenOf(parent, after, edges.left) end
  edges.left = edges.left - #children
  if more or before then set(puts, 'releasing', parent, more) end
  if more then firstDueAt = now end
  edges.load(children)
  for _, child in ipairs(children) do
    if tasks[child] and edges.of(child, parent) == 'o' then
      local onFailure = 'fail'
      for _, dependency in ipairs(edges.dependsOn(child)) do
        if dependency[1] == parent then onFailure = dependency[2] end
      end
      edges.set(child, parent, edges.letterOf(state, onFailure))
      edges.blocked[child] = true
    end
  end
end

-- Those that earlier calls have left, when their parents are still at their end.
local function releaseMore()
  local parents = call('HRANDFIELD', prefix .. 'releasing', 100)
  load(parents)
  for _, parent in ipairs(parents) do
    edges.ended[#edges.ended + 1] = parent
  end
end

-- It becomes due now, if it was before: it has waited for its parents, not for a worker.
local function unblock(id, task)
  local wish = wishOf(flowOf(id))
  if wish then
    edges.finished[#edges.finished + 1] = id
    return cancelWaiting('unblock', id, task, wish[2])
  end
  local from, dueAt = leave(id, task), math.max(task[DUE_AT], now)
  if task[START_BY] then task[START_BY] = task[START_BY] + dueAt - task[DUE_AT] end
  task[STATE], task[REASON], task[DUE_AT] = dueAt > now and 'scheduled' or 'queued', false, dueAt
  enter('unblock', id, task, from)
end

-- Until nothing follows from it any more: a task of a cancelled flow ends when it is let go, and so its children are next.
local function release()
  while #edges.ended > 0 or next(edges.blocked) do
    local ended, candidates = edges.ended, {}
    edges.ended = {}
    for _, parent in ipairs(ended) do
      closeEdges(parent)
    end
    for child in pairs(edges.blocked) do
      candidates[#candidates + 1] = child
    end
    edges.blocked = {}
    turns.lookAgain()
    table.sort(candidates)
    edges.load(candidates)
    for _, id in ipairs(candidates) do
      local task = tasks[id]
      if task and task[STATE] == 'blocked' then
        if edges.count('failed', id) > 0 then
          edges.isOverdue = true
          set(scores, 'deadlines', id, now)
        elseif edges.count('waits', id) == 0 then
          unblock(id, task)
        end
      end
    end
  end
  edges.askBack()
end
