-- Tasks as they are read: those that have everything in common but what is their own are one crowd, see prelude.lua.

-- What open claims gave, see rules.lua.
local ofClaims

local addRun, gather, crowdsOf, load

-- A chunk has room for 200 locals: what only this part needs is known here only.
do
  -- Nothing of this is there while a library is loaded.
  local byteOf, partOf

  function anew.crowds()
    byteOf, partOf = string.byte, string.sub
  end

  -- Whether it has anything of its own beside its row.
  local function hasOwn(task)
    return has(task, 'k') or has(task, 'g') or has(task, 'i')
  end

  -- Where those of a crowd are neighbours in a list whose text is known, theirs is cut out of it: that costs less than to put its parts together.
  local function partText(crowd, ids)
    local text, runs, size = idTexts[ids], crowd.runs, ID_LENGTH + 1
    if text and not runs[3] and crowd.ids ~= ids and #text == #ids * size - 1 then
      idTexts[crowd.ids] = partOf(text, (runs[1] - 1) * size + 1, runs[2] * size - 1)
    end
  end

  -- Where key and group end that are packed behind a place. Mostly both are short, or false: then their first bytes say it.
  local function endOfOwn(text, before)
    local first = byteOf(text, before + 1)
    if first == 194 or (first >= 160 and first < 192) then
      local at = first == 194 and before + 2 or before + first - 158
      local second = byteOf(text, at)
      if second == 194 then return at end
      if second >= 160 and second < 192 then return at + second - 160 end
    end
    return (cmsgpack.unpack_limit(text, 2, before))
  end

  local function keepOwn(id, text, isHead, before)
    if isHead and has(tasks[id], 'i') then
      local task = tasks[id]
      if has(task, 'k') or has(task, 'g') then
        local to = endOfOwn(text, before)
        owns[id], before = partOf(text, before + 1, to), to
      end
      results[id] = partOf(text, before + 1)
    else
      owns[id] = partOf(text, before + 1, isHead and -1 or endOfOwn(text, before))
    end
  end

  -- Adds the ids between two places to a crowd: `runs` has the first and the last place of each part of it.
  function addRun(crowd, ids, from, to)
    local runs, own = crowd.runs, crowd.ids
    local n = #runs
    if n == 0 then
      crowd.ids, runs[1], runs[2] = from == 1 and to == #ids and ids or { unpack(ids, from, to) }, from, to
      return
    end
    local behind = #own + 1 - from
    for i = from, to do
      own[behind + i] = ids[i]
    end
    if runs[n] == from - 1 then runs[n] = to else runs[n + 1], runs[n + 2] = from, to end
  end

  -- The crowd of a task with this head or row.
  local function crowdFor(text, isHead, bit, crowds, likes)
    local common, before = commonOf(text)
    local alike = likes[bit] or {}
    local crowd = alike[common]
    if not crowd then
      local task = taskOf(common, isHead)
      crowd = { task = task, ids = nil, runs = {}, isOwning = hasOwn(task), isShort = isHead and hasOwn(task) and not has(task, 'i') }
      crowds[#crowds + 1], alike[common], likes[bit] = crowd, crowd, alike
    end
    return crowd, before
  end

  -- Keeps what a run of neighbours has of its own, from a place on: as far as their texts begin with `start`, which are heads, or rows of those that have none.
  -- Answers the place behind the run.
  local function readHeadsOfRun(run, ids, i)
    local find, part, known, own, heads = string.find, partOf, tasks, owns, run.texts
    local start, task, bits, bit, behind = run.start, run.crowd.task, run.bits, run.bit, run.length + 1
    local text = heads[i]
    repeat
      local id = ids[i]
      if known[id] then run.isTwice = true end
      known[id] = task
      if not own[id] then own[id] = part(text, behind) end
      i = i + 1
      text = heads[i]
    until not text or find(text, start, 1, true) ~= 1 or (bits and bits[i] ~= bit)
    return i
  end

  local function readRowsOfRun(run, ids, i)
    local find, part, byte, known, own, found, heads, isKnown = string.find, partOf, byteOf, tasks, owns, run.texts, run.heads, not run.isBrief
    local start, task, bits, bit, behind = run.start, run.crowd.task, run.bits, run.bit, run.length + 1
    local text = found[i]
    repeat
      local id = ids[i]
      if isKnown then
        if known[id] then run.isTwice = true end
        known[id] = task
      end
      -- Mostly key and group are short: see `endOfOwn`.
      local first = byte(text, behind)
      local second = first >= 160 and first < 192 and byte(text, behind + first - 159) or 0
      if second >= 160 and second < 192 then
        own[id] = part(text, behind, behind + first + second - 319)
      else
        own[id] = part(text, behind, endOfOwn(text, behind - 1))
      end
      i = i + 1
      text = found[i]
    until not text or heads[i] or find(text, start, 1, true) ~= 1 or (bits and bits[i] ~= bit)
    return i
  end

  -- Of the others a head is often all that there is.
  local function readOthersOfRun(run, ids, i)
    local find, known, texts, isHead = string.find, tasks, run.texts, run.texts == run.heads
    local start, task, bits, bit, isOwning = run.start, run.crowd.task, run.bits, run.bit, run.crowd.isOwning
    local text, last = texts[i], nil
    repeat
      local id = ids[i]
      if known[id] then run.isTwice = true end
      known[id], last = task, text
      if isOwning then keepOwn(id, text, isHead, run.length) end
      i = i + 1
      text = texts[i]
    until not text or (text ~= last and find(text, start, 1, true) ~= 1) or (bits and bits[i] ~= bit) or (not isHead and run.heads[i])
    return i
  end

  -- Where these are all tasks that a claim gave, in its order, their heads are mostly those that it has written: then nothing of them has to be looked at. Answers
  -- the place behind those of which that is so.
  local function passKept(run, ids, i)
    local kept = ofClaims.of(run.crowd.task)
    if not kept or not kept.owns then return i end
    if not next(owns) and string.find(run.heads[#ids] or '', kept.token, 1, true) then owns = kept.owns end
    if kept.ids ~= ids or owns ~= kept.owns then return i end
    for _, part in ipairs(kept.parts) do
      if part.ids[1] == ids[i] then
        local heads, written, bits, bit, before, to = run.heads, part.heads, run.bits, run.bit, i - 1, i - 1 + #part.ids
        while i <= to and heads[i] == written[2 * (i - before)] and (not bits or bits[i] == bit) do
          i = i + 1
        end
        for at = before + 1, run.isBrief and 0 or i - 1 do
          tasks[ids[at]] = run.crowd.task
        end
        return i
      end
    end
    return i
  end

  local function knowAll(crowds)
    for _, crowd in ipairs(crowds) do
      for _, id in ipairs(crowd.ids) do
        tasks[id] = crowd.task
      end
    end
  end

  -- Answers tasks as crowds { task, ids, runs }, in the order in which these begin. Each is in a crowd with its like, but not with those of another
  -- bit; false leaves one out. Without bits all are of one. A crowd of all has the same list of ids. `isTwice` says whether a task
  -- was named twice. Of each there is a head, or its row in `found`, or nothing. Where it `isBrief` nobody will ask for a
  -- task by its id, but for those that have taken turns with others, or have to do with parents and children.
  function gather(ids, bits, heads, found, isBrief)
    local crowds, likes, shapeIds, i = {}, {}, {}, 1
    local run = { texts = nil, heads = heads, bits = bits, bit = true, crowd = nil, length = 0, start = '', isTwice = false, isBrief = isBrief }
    while i <= #ids do
      local isHead, bit, from = heads[i] and true or false, not bits or bits[i], i
      local text = bit and (heads[i] or found[i])
      if text then
        local crowd, length = crowdFor(text, isHead, bit, crowds, likes)
        run.texts, run.bit, run.crowd, run.length, run.start = isHead and heads or found, bit, crowd, length, partOf(text, 1, length)
        if crowd.isShort then
          i = passKept(run, ids, i)
          if i == from then i = readHeadsOfRun(run, ids, i) end
        elseif crowd.isOwning and not isHead then
          i = readRowsOfRun(run, ids, i)
        else
          i = readOthersOfRun(run, ids, i)
        end
        addRun(crowd, ids, from, i - 1)
      else
        i = i + 1
      end
    end
    local isAsked = false
    for at, crowd in ipairs(crowds) do
      shapeIds[at] = crowd.task[SHAPE]
      partText(crowd, ids)
      isAsked = isAsked or #crowd.runs > 2 or has(crowd.task, 'd') or has(crowd.task, 'h')
    end
    if isBrief and isAsked then knowAll(crowds) end
    crowds.isTwice = run.isTwice
    loadShapes(shapeIds)
    return crowds
  end

  -- Reads tasks as they are stored, and answers those that are known, see `gather`.
  function crowdsOf(ids, bits, withRows, isBrief)
    local heads, found = readHeads(ids, withRows), {}
    for i = 1, #ids do
      if not heads[i] then found[i] = rows[ids[i]] or false end
    end
    return gather(ids, bits, heads, found, isBrief)
  end

  -- Reads the tasks of these ids that are not known yet, with their shapes; their rows too when they are asked for.
  -- Each is for itself: who loads a task may change it.
  function load(ids, withRows)
    local missing, shapeIds = {}, {}
    for _, id in ipairs(ids) do
      if tasks[id] == nil then
        tasks[id] = false
        missing[#missing + 1] = id
      end
    end
    local heads = readHeads(missing, false)
    for i, id in ipairs(missing) do
      local text = heads[i] or rows[id]
      if text then
        local common, before = commonOf(text)
        local task = taskOf(common, heads[i])
        tasks[id], shapeIds[#shapeIds + 1] = task, task[SHAPE]
        if hasOwn(task) then keepOwn(id, text, heads[i], before) end
      end
    end
    loadShapes(shapeIds)
    if withRows then readRows(ids) end
  end
end
