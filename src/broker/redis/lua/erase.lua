-- How a task is forgotten: with all that it left.

local function erase(kind, id, task)
  local from = leave(id, task)
  local _, rowShape = cmsgpack.unpack_limit(rows[id], 1, 2)
  add('shapeUses', rowShape, -1)
  if task[SHAPE] ~= rowShape then add('shapeUses', task[SHAPE], -1) end
  edges.forget(id, task)
  local flowId = flowOf(id)
  if type(flowId) == 'string' then
    set(members, 'flow:' .. flowId, id, false)
    -- It may have been the last one that a wish was kept for.
    local wish = wishOf(flowId)
    if wish then set(scores, 'flowWishes', flowId, wish[1]) end
  end
  for letter in string.gmatch(task[ASIDE], '.') do
    if besides[letter] then setAside(id, task, letter, false) end
  end
  set(puts, 'tasks', id, false)
  set(puts, 'heads', id, false)
  if has(task, 'a') then gone[#gone + 1], gone[#gone + 2] = prefix .. 'attempts:' .. id, prefix .. 'logs:' .. id end
  task[VERSION] = task[VERSION] + 1
  record(kind, id, task, from, false)
  tasks[id], rows[id] = false, nil
end
