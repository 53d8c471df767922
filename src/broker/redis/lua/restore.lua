#!lua
-- restore: inserts tasks with their state as they are; an id that is known is left alone.
--
-- ARGV[2] tasks, a JSON list of { id, shape, createdAt, key, group, more, head, leaseUntil, asides, takes, untilAt }: `head` as prelude.lua
-- describes it, without its shape; `asides` texts by their letters; `takes` whether it would hold its key, until when
-- ARGV[3 …] payloads
-- Answers how many were new, and the signals.

return function()
  local full = outboxIsFull()
  if full then return full end
  local given, ids, count = cjson.decode(ARGV[2]), {}, 0

  -- A parent that is not here may come by a later call: it is waited for. Who runs, or has, holds nothing back any more.
  local function restoreEdges(id, head, dependsOn)
    if dependsOn then edges.parents[id] = dependsOn end
    for _, dependency in ipairs(dependsOn or {}) do
      local parent = dependency[1]
      load({ parent })
      local letter = 'd'
      if head[STATE] == 'blocked' then
        letter = tasks[parent] and edges.letterOf(tasks[parent][STATE], dependency[2]) or 'o'
      end
      edges.link(id, parent, letter)
      if letter == 'o' and not tasks[parent] then set(members, 'awaited', parent, true) end
    end
    if #edges.childrenOf(id, nil, 1) > 0 then
      head[ASIDE] = head[ASIDE] .. 'h'
      set(members, 'awaited', id, false)
    end
  end

  local function restoreOne(i, task)
    local id, head, payload = task.id, task.head, ARGV[2 + i]
    head[SHAPE] = shapeIdOf(task.shape)
    local key, group = task.key, task.group
    local common = cmsgpack.pack(head[SHAPE], task.createdAt, head[DUE_AT], head[START_BY], head[EXPIRES_AT], head[ASIDE])
    owns[id], ownKeys[id], ownGroups[id] = cmsgpack.pack(key, group), key, group
    set(puts, 'tasks', id, join(common, cmsgpack.pack(key, group, task.more) .. payload))
    add('shapeUses', head[SHAPE], 1)
    for letter, text in pairs(task.asides) do
      set(puts, besides[letter], id, text)
    end
    tasks[id], dirty[id] = head, head
    restoreEdges(id, head, task.dependsOn)
    if task.flowId then set(members, 'flow:' .. task.flowId, id, true) end
    place(id, head, task.leaseUntil)
    record('restore', id, head, false, head[STATE])
    if task.takes and not holderOf(key) and (not task.untilAt or task.untilAt > now) then holdKey(key, id, task.untilAt) end
    if head[STATE] == 'running' then
      local own = task.asides.l and cjson.decode(task.asides.l)
      for _, rule in ipairs(gate.withQueueRule(own, shapes[head[SHAPE]][QUEUE]) or {}) do
        set(members, slotsKey(rule[RULE_NAME]), id, true)
        gate.list(rule[RULE_NAME], true)
      end
    end
  end

  for i, task in ipairs(given) do
    ids[i] = task.id
  end
  load(ids)
  for i, task in ipairs(given) do
    if not tasks[task.id] then
      count = count + 1
      restoreOne(i, task)
    end
  end
  release()
  write()
  return { count, signals() }
end
