-- What a claim tells of the parents of its tasks.

local answerOf

do
  -- Bytes of the result and the error of a task.
  local function outcomeBytes(id, task)
    local bytes = has(task, 'i') and #resultOf(id) or 0
    for _, letter in ipairs({ 'r', 'e' }) do
      if string.find(task[ASIDE], letter, 1, true) then bytes = bytes + call('HSTRLEN', prefix .. besides[letter], id) end
    end
    return bytes
  end

  local function textOf(id, task, letter)
    if letter == 'r' and has(task, 'i') then return resultOf(id) end
    return string.find(task[ASIDE], letter, 1, true) and call('HGET', prefix .. besides[letter], id) or false
  end

  -- Each parent once as id, name, state, bytes left out (-1 when all is told), result, error; of those who are gone nothing.
  -- The smallest are told first, so that most are.
  local function parentsOfClaimed(crowds)
    local seen, known, told, left = {}, {}, {}, limits.claimParentsBytesMax
    for _, crowd in ipairs(crowds) do
      for _, id in ipairs(has(crowd.task, 'd') and crowd.ids or nothing) do
        for _, dependency in ipairs(edges.dependsOn(id)) do
          seen[dependency[1]] = true
        end
      end
    end
    if not next(seen) then return told end
    for id in pairs(seen) do
      known[#known + 1] = id
    end
    edges.load(known)
    local bytes, found = {}, {}
    for _, id in ipairs(known) do
      if tasks[id] then
        bytes[id], found[#found + 1] = outcomeBytes(id, tasks[id]), id
      end
    end
    table.sort(found, function(a, b)
      if bytes[a] ~= bytes[b] then return bytes[a] < bytes[b] end
      return a < b
    end)
    for _, id in ipairs(found) do
      local task = tasks[id]
      left = left - bytes[id]
      local fits = left >= 0
      for _, value in ipairs({ id, shapes[task[SHAPE]][NAME], task[STATE], fits and -1 or bytes[id] }) do
        told[#told + 1] = value
      end
      told[#told + 1] = fits and textOf(id, task, 'r') or ''
      told[#told + 1] = fits and textOf(id, task, 'e') or ''
    end
    return told
  end

  -- What a claim answers: see `claim`. Of tasks that were claimed before all is read.
  function answerOf(claimed)
    local ids, crowds = claimed.ids, claimed.crowds
    if #ids == 0 then return { now } end
    if crowds then return { now, describeCrowds(claimed, { claimed.leaseUntil }), parentsOfClaimed(crowds) } end
    return { now, describe(ids), parentsOfClaimed(crowdsByTask(ids)) }
  end
end
