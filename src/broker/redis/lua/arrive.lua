-- Tasks on their way into the store, for `enqueue` and for what settlements spawn: each once under its id, one at a time
-- under its key, parents before children.
--
-- A batch is { forms, ids, formOf, extras, offset, unknown, skips }: `forms` are lists of [shape, delayMs, at, startWithinMs,
-- expiresInMs, patterns of the queues that it reaches where these are not all]; `extras` by place what only some have: [place, key, rules, more, dependsOn, blocks,
-- flowId, group]; payloads stand in ARGV
-- behind `offset`; `unknown` says what a parent is that nobody knows: "refuse" or "fail"; places in `skips` are passed over.

-- `nothingOwn` is three times false as `cmsgpack` packs it, which is not there while a library is loaded.
local arrivals = { nobody = {}, nothingOwn = '\194\194\194' }

-- `alike` is what the tasks of a call have in common that differ in nothing but their payloads, once they are placed.
function anew.arrive()
  arrivals.alike = nil
end

function arrivals.lettersOf(extra, dependsOn)
  if not extra then return '' end
  local rules, parents = extra[3] and 'l' or '', #dependsOn > 0 and 'd' or ''
  return rules .. parents .. (extra[2] and 'k' or '') .. (extra[8] and 'g' or '')
end

-- What tasks of a form and of the same letters have in common, as it is stored and as a task.
function arrivals.make(form, dueAt, letters)
  local startBy, expiresAt = form[4] and dueAt + form[4], form[5] and now + form[5]
  form.shape = form.shape or shapeIdOf(form[1])
  local common = cmsgpack.pack(form.shape, now, dueAt, startBy, expiresAt, letters)
  return { start = join(common, ''), task = freshTask(common) }
end

-- The row, with all that is kept beside it.
function arrivals.storeRow(batch, i, made)
  local id, extra, own = batch.ids[i], batch.extras[i], arrivals.nothingOwn
  if extra then
    local key, rules, more, flowId, group = extra[2], extra[3], extra[4], extra[7], extra[8]
    own, ownKeys[id], ownGroups[id] = cmsgpack.pack(key, group, more), key, group
    if rules then set(puts, 'rules', id, rules) end
    if key then holdKey(key, id, false) end
    if flowId then set(members, 'flow:' .. flowId, id, true) end
  end
  rows[id] = made.start .. own .. ARGV[batch.offset + i]
  return rows[id]
end

-- Looks at the parents as they are now.
function arrivals.storeEdges(id, task, dependsOn)
  edges.parents[id] = dependsOn
  set(puts, 'parents', id, cjson.encode(dependsOn))
  for _, dependency in ipairs(dependsOn) do
    local parent = tasks[dependency[1]]
    local letter = edges.letterOf(parent and parent[STATE], dependency[2])
    edges.link(id, dependency[1], letter)
    if letter ~= 'd' then task[STATE] = 'blocked' end
  end
end

function arrivals.insert(batch, i, form, dueAt, dependsOn)
  local id, extra = batch.ids[i], batch.extras[i]
  local isAwaited = batch.awaited[id]
  local made = arrivals.make(form, dueAt, arrivals.lettersOf(extra, dependsOn) .. (isAwaited and 'h' or ''))
  if isAwaited then set(members, 'awaited', id, false) end
  local task = made.task
  tasks[id] = task
  set(puts, 'tasks', id, arrivals.storeRow(batch, i, made))
  if extra then owns[id] = cmsgpack.pack(extra[2], extra[8]) end
  if #dependsOn > 0 then
    arrivals.storeEdges(id, task, dependsOn)
    -- Its row alone would say that it is queued.
    if task[STATE] == 'blocked' then dirty[id] = task end
  end
  add('shapeUses', form.shape, 1)
  place(id, task)
  record('enqueue', id, task, false, task[STATE])
  local wish = extra and wishOf(extra[7])
  if wish then
    edges.finished[#edges.finished + 1] = id
    cancelWaiting('cancel', id, task, wish[2])
  end
  return task[STATE]
end

function arrivals.crowdOf(batch, form, letters)
  local crowd = form.crowds[letters]
  if not crowd then
    crowd = arrivals.make(form, form.dueAt, letters)
    crowd.form, crowd.ids, crowd.rows, crowd.rules = form, {}, {}, {}
    crowd.letter = string.sub(crowd.task[STATE], 1, 1)
    form.crowds[letters], batch.crowds[#batch.crowds + 1] = crowd, crowd
  end
  return crowd
end

-- Nothing but its own differs in such a task from its neighbours: no parents, no flow, nobody that waits for it, not in the place of another. It is stored with the
-- others of its crowd; whoever asks for it before reads its row. Answers its state.
function arrivals.joinCrowd(batch, i, form)
  local crowd = arrivals.crowdOf(batch, form, arrivals.lettersOf(batch.extras[i], arrivals.nobody))
  local n = #crowd.ids + 1
  crowd.ids[n], crowd.rows[n] = batch.ids[i], arrivals.storeRow(batch, i, crowd)
  return crowd.task[STATE]
end

-- Mostly the tasks of a batch differ in nothing but their payloads, and are all new. Stores such a batch and answers the state of its tasks;
-- false when it is another one.
function arrivals.joinAlike(batch)
  local ids, payloads, offset, list = batch.ids, ARGV, batch.offset, {}
  if #batch.forms ~= 1 or next(batch.extras) or next(batch.awaited) or batch.skips or next(rows) then return false end
  local form = batch.forms[1]
  local crowd = arrivals.make(form, form.dueAt, '')
  local start = crowd.start .. arrivals.nothingOwn
  for i = 1, #ids do
    local id = ids[i]
    if rows[id] then
      rows = {}
      return false
    end
    local row = start .. payloads[offset + i]
    rows[id], list[i] = row, row
  end
  crowd.form, crowd.ids, crowd.rows, crowd.rules = form, ids, list, arrivals.nobody
  batch.crowds[1] = crowd
  return crowd.task[STATE]
end

-- Whether each task is new, its key free, and none has to do with another.
function arrivals.areApart(batch)
  if batch.isLinked or batch.skips or next(batch.awaited) or next(rows) then return false end
  local ids, extras, seen, keys = batch.ids, batch.extras, {}, {}
  for i = 1, #ids do
    local id, key = ids[i], extras[i] and extras[i][2]
    if seen[id] or (key and (keys[key] or holderOf(key))) then return false end
    seen[id] = true
    if key then keys[key] = true end
  end
  return true
end

-- Stores such tasks crowd by crowd; answers their letters.
function arrivals.joinApart(batch)
  local ids, extras, formOf, forms, offset, payloads = batch.ids, batch.extras, batch.formOf, batch.forms, batch.offset, ARGV
  local letters, pack = {}, cmsgpack.pack
  for i = 1, #ids do
    local id, extra, form = ids[i], extras[i], forms[tonumber(formOf[i] or 1)]
    local crowd = arrivals.crowdOf(batch, form, arrivals.lettersOf(extra, arrivals.nobody))
    local list, own = crowd.ids, arrivals.nothingOwn
    local n = #list + 1
    if extra then
      local key, rules, group = extra[2], extra[3], extra[8]
      own, ownKeys[id], ownGroups[id] = pack(key, group, extra[4]), key, group
      if key then holdFreeKey(key, id) end
      if rules then
        crowd.rules[n] = rules
        if rules ~= crowd.rules[1] then crowd.hasManyRules = true end
      end
    end
    local row = crowd.start .. own .. payloads[offset + i]
    list[n], crowd.rows[n], rows[id], letters[i] = id, row, row, crowd.letter
  end
  return table.concat(letters)
end

function arrivals.insertCrowds(batch)
  for _, crowd in ipairs(batch.crowds) do
    set(puts, 'tasks', crowd.ids, crowd.rows)
    if crowd.rules[1] then set(puts, 'rules', crowd.ids, crowd.hasManyRules and crowd.rules or crowd.rules[1]) end
    add('shapeUses', crowd.form.shape, #crowd.ids)
    place(crowd.ids, crowd.task)
    record('enqueue', crowd.ids, crowd.task, false, crowd.task[STATE])
    crowd.form.crowds = {}
  end
  batch.crowds = {}
end

-- As `matchesPattern` of core/access.ts: `*` stands for any characters, nothing else is special.
function arrivals.matches(pattern, text)
  local p, t, star, mark = 1, 1, nil, nil
  while t <= #text do
    local letter = string.byte(pattern, p)
    if letter == 42 then
      star, mark, p = p, t, p + 1
    elseif letter and letter == string.byte(text, t) then
      p, t = p + 1, t + 1
    elseif star then
      mark = mark + 1
      p, t = star + 1, mark
    else
      return false
    end
  end
  while string.byte(pattern, p) == 42 do
    p = p + 1
  end
  return p > #pattern
end

-- Whether the sender of a form reaches a queue.
function arrivals.reaches(form, queue)
  if not form[6] then return true end
  for _, pattern in ipairs(form[6]) do
    if arrivals.matches(pattern, queue) then return true end
  end
  return false
end

-- Of a holder that is gone by now nothing can be told, and nothing done to it.
function arrivals.reachesHolder(form, holderId)
  if not form[6] then return true end
  load({ holderId })
  local holder = tasks[holderId]
  return not holder or arrivals.reaches(form, shapes[holder[SHAPE]][QUEUE])
end

function arrivals.hasSameBody(batch, i, form)
  local id = batch.ids[i]
  local shape, key, _, _, before = cmsgpack.unpack(commonOf(rows[id])), ownOf(rows[id])
  loadShapes({ shape })
  return arrivals.reaches(form, shapes[shape][QUEUE]) and shapes[shape][NAME] == form.fields[NAME]
    and key == (batch.extras[i] and batch.extras[i][2] or false)
    and (before == -1 and '' or string.sub(rows[id], before + 1)) == ARGV[batch.offset + i]
end

-- Only a holder that waits can be replaced: what runs, or ran within `keyForMs`, stands.
function arrivals.replace(batch, i, form, holderId, dependsOn)
  arrivals.insertCrowds(batch)
  load({ holderId })
  local holder = tasks[holderId]
  if not holder or not isWaiting(holder[STATE]) then return 'duplicate', holderId, '' end
  freeKey(holderId, holder)
  local from = leave(holderId, holder)
  holder[STATE], holder[REASON], holder[FINISHED_AT] = 'cancelled', 'replaced', now
  holder[PRUNE_AT] = now + shapes[holder[SHAPE]][KEEP_MS]
  enter('replace', holderId, holder, from)
  local isEarlier = form.fields[IF_EXISTS] == 'replace'
  local dueAt = isEarlier and math.min(form.dueAt, holder[DUE_AT]) or form.dueAt
  return 'replaced', holderId, arrivals.insert(batch, i, form, dueAt, dependsOn)
end

function arrivals.formAt(batch, i)
  return batch.forms[tonumber(batch.formOf[i] or 1)]
end

function arrivals.arriveOne(batch, i, dependsOn)
  local id, form = batch.ids[i], arrivals.formAt(batch, i)
  if rows[id] then
    if not arrivals.hasSameBody(batch, i, form) then return 'conflict', id, '' end
    load({ id })
    return 'existing', '', tasks[id][STATE]
  end
  local holderId = batch.extras[i] and holderOf(batch.extras[i][2])
  if not holderId then
    local extra = batch.extras[i]
    if #dependsOn == 0 and not (extra and extra[7]) and not batch.awaited[batch.ids[i]] then return 'created', '', arrivals.joinCrowd(batch, i, form) end
    return 'created', '', arrivals.insert(batch, i, form, form.dueAt, dependsOn)
  end
  local rule = form.fields[IF_EXISTS]
  if rule == 'error' or not arrivals.reachesHolder(form, holderId) then return 'conflict', holderId, '' end
  if rule == 'return' then return 'duplicate', holderId, '' end
  return arrivals.replace(batch, i, form, holderId, dependsOn)
end

-- Each parent once, in the place of a task whose key was held its holder. A holder of a kept key may be gone: it has
-- succeeded, so nothing waits for it.
function arrivals.parentsOf(batch, i, standsFor, holders)
  if not batch.extras[i] or not batch.extras[i][5] then return arrivals.nobody end
  local list, seen = {}, {}
  for _, dependency in ipairs(batch.extras[i][5]) do
    local parent = standsFor[dependency[1]] or dependency[1]
    -- One of this batch is not known by itself yet.
    if tasks[parent] == nil then load({ parent }) end
    if not seen[parent] and (tasks[parent] or not holders[parent]) then
      seen[parent] = true
      list[#list + 1] = { parent, dependency[2] }
    end
  end
  return list
end

-- Whom a task blocks gains it as a parent. Answers what is refused, or nil.
function arrivals.gainParents(gains)
  local gained, order, open = {}, {}, {}
  for _, gain in ipairs(gains) do
    local child, parent, onFailure, i = gain[1], gain[2], gain[3], gain[4]
    load({ child, parent })
    local task = tasks[child]
    if task and isWaiting(task[STATE]) and not edges.of(child, parent) then
      local letter = edges.letterOf(tasks[parent] and tasks[parent][STATE], onFailure)
      edges.link(child, parent, letter)
      if not gained[child] then
        gained[child] = {}
        order[#order + 1] = child
      end
      table.insert(gained[child], { parent, onFailure, i })
      -- Who has a failed parent waits for a verdict, not for the parent.
      if letter == 'o' then open[#open + 1] = gain end
    end
  end
  for _, gain in ipairs(open) do
    if edges.waitsFor(gain[2], gain[1]) then return { 'loop', gain[4], gain[1] } end
  end
  for _, child in ipairs(order) do
    local task, list = tasks[child], {}
    for _, dependency in ipairs(edges.dependsOn(child)) do
      list[#list + 1] = dependency
    end
    for _, gain in ipairs(gained[child]) do
      list[#list + 1] = { gain[1], gain[2] }
    end
    if #list > limits.parentsMax then return { 'parents', gained[child][#gained[child]][3], child, #list } end
    local from = leave(child, task)
    task[STATE], edges.parents[child] = 'blocked', list
    setAside(child, task, 'd', cjson.encode(list))
    enter('block', child, task, from)
  end
end

-- Reads what the batch is about.
function arrivals.openBatch(batch)
  local keys, others = {}, {}
  batch.crowds, batch.awaited = {}, {}
  for _, extra in pairs(batch.extras) do
    if extra[2] then keys[#keys + 1] = extra[2] end
    if extra[5] or extra[6] or extra[7] then
      batch.isLinked = true
      for _, list in ipairs({ extra[5] or {}, extra[6] or {} }) do
        for _, dependency in ipairs(list) do
          others[#others + 1] = dependency[1]
        end
      end
    end
  end
  for _, form in ipairs(batch.forms) do
    form.fields, form.crowds, form.shape = readShape(form[1]), {}, nil
    form.dueAt = form[3] and math.max(form[3], now) or now + form[2]
  end
  loadKeys(keys)
  edges.load(others)
  if #batch.ids == 0 then return end
  local isAnyAwaited = call('EXISTS', prefix .. 'awaited') == 1
  local known = call('HMGET', prefix .. 'tasks', unpack(batch.ids))
  for i, id in ipairs(batch.ids) do
    if known[i] and not rows[id] then rows[id] = known[i] end
    if isAnyAwaited and call('SISMEMBER', prefix .. 'awaited', id) == 1 then batch.awaited[id] = true end
    -- Asked for as a parent before it came: it may be there after all.
    if tasks[id] == false then tasks[id] = nil end
  end
end

-- Answers a letter for each task (queued and scheduled ones that were simply created, else a dot), and the others as
-- place, outcome, the other task, state; or what is refused: nothing may be written then.
function arrivals.store(batch)
  arrivals.openBatch(batch)
  local state = arrivals.joinAlike(batch)
  if state then
    arrivals.alike = batch.crowds[1]
    arrivals.insertCrowds(batch)
    return string.rep(string.sub(state, 1, 1), #batch.ids), {}
  end
  if arrivals.areApart(batch) then
    local all = arrivals.joinApart(batch)
    arrivals.insertCrowds(batch)
    return all, {}
  end
  local letters, others, standsFor, holders, gains = {}, {}, {}, {}, {}
  for i, id in ipairs(batch.ids) do
    if batch.skips and batch.skips[i] then
      letters[i] = '.'
    elseif not batch.extras[i] and not rows[id] and not batch.awaited[id] then
      letters[i] = string.sub(arrivals.joinCrowd(batch, i, arrivals.formAt(batch, i)), 1, 1)
    else
      local dependsOn = arrivals.parentsOf(batch, i, standsFor, holders)
      local outcome, of, state = arrivals.arriveOne(batch, i, dependsOn)
      local isPlain = outcome == 'created' and (state == 'queued' or state == 'scheduled')
      letters[i] = isPlain and string.sub(state, 1, 1) or '.'
      if not isPlain then
        for _, value in ipairs({ i, outcome, of, state }) do
          others[#others + 1] = value
        end
      end
      if outcome == 'duplicate' then
        standsFor[id], holders[of] = of, true
        load({ of })
      end
      if outcome == 'created' or outcome == 'replaced' then
        for place, dependency in ipairs(batch.unknown == 'refuse' and dependsOn or {}) do
          if not tasks[dependency[1]] then return nil, nil, { 'unknown', i, dependency[1], place } end
        end
      end
      local parent = standsFor[id] or id
      if outcome ~= 'existing' and outcome ~= 'conflict' and (tasks[parent] or rows[parent]) then
        for _, dependency in ipairs(batch.extras[i] and batch.extras[i][6] or {}) do
          gains[#gains + 1] = { dependency[1], parent, dependency[2], i }
        end
      end
    end
  end
  arrivals.insertCrowds(batch)
  return table.concat(letters), others, arrivals.gainParents(gains)
end
