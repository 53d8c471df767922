-- How tasks leave the store: heads and rows as they are kept, and beside them what these tasks need to be read.

local crowdsByTask, describeCrowds, describe

-- A chunk has room for 200 locals: what only this part needs is known here only.
do
  -- The ends of leases, in the order of `ids`; 0 for what does not run. One alone when none runs.
  local function leasesOf(ids)
    local isAnyRunning = false
    for _, id in ipairs(ids) do
      isAnyRunning = isAnyRunning or tasks[id][STATE] == 'running'
    end
    if not isAnyRunning then return { 0 } end
    return leases.endsOf(ids)
  end

  -- Tasks that share one table as crowds, see `gather`; all of them are known.
  function crowdsByTask(ids)
    local crowds, crowdOf, last, crowd = {}, {}, nil, nil
    for place, id in ipairs(ids) do
      local task = tasks[id]
      if task ~= last then
        last, crowd = task, crowdOf[task]
        if not crowd then
          crowd = { task = task, ids = {}, places = {} }
          crowds[#crowds + 1], crowdOf[task] = crowd, crowd
        end
      end
      local n = #crowd.ids + 1
      crowd.ids[n], crowd.places[n] = id, place
    end
    if #crowds == 1 then crowds[1].places = nil end
    return crowds
  end

  -- What heads have in common, each once, and which of them is whose, nothing when there is one; their shapes as id, text, …
  local function headsOf(crowds)
    local heads, numbers, headOfEach, seen, list = {}, {}, {}, {}, {}
    for _, crowd in ipairs(crowds) do
      local task = crowd.task
      local text = packed[task] or cmsgpack.pack(task)
      local number = numbers[text] or #heads + 1
      heads[number], numbers[text] = text, number
      local shape = task[SHAPE]
      if not seen[shape] then
        seen[shape] = true
        list[#list + 1], list[#list + 2] = shape, shapeTexts[shape]
      end
      for _, place in ipairs(crowd.places or nothing) do
        headOfEach[place] = number
      end
    end
    return heads, #heads > 1 and table.concat(headOfEach, ' ') or '', list
  end

  -- There are few, so that they may stay.
  local letterLists = {}

  -- Those letters that stand for a text beside the head, or a result in it.
  local function lettersOf(aside)
    local list = letterLists[aside]
    if not list then
      list = {}
      for letter in string.gmatch(aside, '.') do
        if besides[letter] or letter == 'i' then list[#list + 1] = letter end
      end
      letterLists[aside] = list
    end
    return list
  end

  -- By letter the ids of those that have it, and their places; no places when all do.
  local function havingAsides(crowds, count)
    local having, list = {}, {}
    if #crowds == 1 and not crowds[1].places then
      for _, letter in ipairs(lettersOf(crowds[1].task[ASIDE])) do
        list[letter] = { ids = crowds[1].ids, places = '' }
      end
      return list
    end
    for _, crowd in ipairs(crowds) do
      for _, letter in ipairs(lettersOf(crowd.task[ASIDE])) do
        local at = having[letter] or {}
        having[letter] = at
        for i, id in ipairs(crowd.ids) do
          at[crowd.places and crowd.places[i] or i] = id
        end
      end
    end
    for letter, at in pairs(having) do
      local ids, places = {}, {}
      for place = 1, count do
        if at[place] then
          ids[#ids + 1], places[#places + 1] = at[place], place
        end
      end
      list[letter] = { ids = ids, places = #ids < count and table.concat(places, ' ') or '' }
    end
    return list
  end

  -- The texts of the rules of tasks that have some, when all of them were read before.
  local function rulesTexts(ids)
    local texts = {}
    for i = 1, #ids do
      local own = rulesOf[ids[i]]
      if not own then return nil end
      texts[i] = own.text
    end
    return texts
  end

  -- The texts beside the heads: letter, the places of those that have it, nothing when all do, their texts, … `known` are results that
  -- were read before.
  local function asidesOf(crowds, count, known)
    local list = {}
    for letter, of in pairs(havingAsides(crowds, count)) do
      local texts
      if letter == 'i' or (letter == 'r' and known) then
        texts = {}
        for i, id in ipairs(of.ids) do
          texts[i] = letter == 'i' and resultOf(id) or known[id]
        end
      else
        texts = (letter == 'l' and rulesTexts(of.ids)) or call('HMGET', prefix .. besides[letter], unpack(of.ids))
      end
      list[#list + 1], list[#list + 2], list[#list + 3] = letter, of.places, texts
    end
    return list
  end

  -- Answers { ids, heads, the head of each, rows, leases, shapes, asides }.
  function describeCrowds(ids, crowds, found, ends, knownResults)
    local heads, headOfEach, shapeList = headsOf(crowds)
    return { textOfIds(ids), heads, headOfEach, found, ends, shapeList, asidesOf(crowds, #ids, knownResults) }
  end

  -- Those that are known, in the order of `ids`. What was changed is written before.
  function describe(ids, knownResults)
    load(ids, true)
    local known, found = {}, {}
    for _, id in ipairs(ids) do
      if tasks[id] then
        known[#known + 1], found[#found + 1] = id, rows[id]
      end
    end
    return describeCrowds(known, crowdsByTask(known), found, leasesOf(known), knownResults)
  end
end
