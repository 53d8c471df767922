-- How tasks leave the store: heads and rows as they are kept, and beside them what these tasks need to be read.

local crowdsByTask, textOfRuns, describeCrowds, describe

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
    local crowds, crowdOf, i = {}, {}, 1
    while i <= #ids do
      local task, from = tasks[ids[i]], i
      repeat
        i = i + 1
      until i > #ids or tasks[ids[i]] ~= task
      local crowd = crowdOf[task]
      if not crowd then
        crowd = { task = task, ids = nil, runs = {} }
        crowds[#crowds + 1], crowdOf[task] = crowd, crowd
      end
      addRun(crowd, ids, from, i - 1)
    end
    return crowds
  end

  -- Puts a text for each place together of those at which runs begin, and `hole` for each place where none does.
  function textOfRuns(texts, size, count, hole)
    local list, place = {}, 1
    while place <= count do
      local text = texts[place] or hole
      list[#list + 1], place = text, place + #text / size
    end
    return table.concat(list)
  end

  -- What heads have in common, each once, and which of them is whose, nothing when there is one; their shapes as id, text, …
  local function headsOf(crowds, count)
    local heads, numbers, headAt, seen, list = {}, {}, {}, {}, {}
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
      local runs, own = crowd.runs or nothing, string.format('%04d', number)
      for at = 1, #runs, 2 do
        headAt[runs[at]] = string.rep(own, runs[at + 1] - runs[at] + 1)
      end
    end
    return heads, #heads > 1 and textOfRuns(headAt, 4, count) or '', list
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

  -- The ids of those crowds, and their places.
  local function partOfIds(crowds)
    local at, ids, places = {}, {}, {}
    for _, crowd in ipairs(crowds) do
      local runs, n = crowd.runs, 0
      for run = 1, #runs, 2 do
        for place = runs[run], runs[run + 1] do
          n = n + 1
          at[place], places[#places + 1] = crowd.ids[n], place
        end
      end
    end
    table.sort(places)
    for i, place in ipairs(places) do
      ids[i] = at[place]
    end
    return { ids = ids, places = table.concat(places, ' ') }
  end

  -- By letter the ids of those that have it, and their places; no places when all do.
  local function havingAsides(ids, crowds)
    local having, list = {}, {}
    for _, crowd in ipairs(crowds) do
      for _, letter in ipairs(lettersOf(crowd.task[ASIDE])) do
        local own = having[letter]
        if own then own[#own + 1] = crowd else having[letter] = { crowd } end
      end
    end
    for letter, own in pairs(having) do
      list[letter] = #own == #crowds and { ids = ids, places = '' } or partOfIds(own)
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

  -- The texts beside the heads: letter, the places of those that have it, nothing when all do, their texts, … One text is that of all. `known` are results that
  -- were read before, `rules` what all have.
  local function asidesOf(ids, crowds, known, rules)
    local list = {}
    for letter, of in pairs(havingAsides(ids, crowds)) do
      local texts
      if letter == 'i' or (letter == 'r' and known) then
        texts = {}
        for i, id in ipairs(of.ids) do
          texts[i] = letter == 'i' and resultOf(id) or known[id]
        end
      elseif letter == 'l' and rules then
        texts = { rules.text }
      else
        texts = (letter == 'l' and rulesTexts(of.ids)) or call('HMGET', prefix .. besides[letter], unpack(of.ids))
      end
      list[#list + 1], list[#list + 2], list[#list + 3] = letter, of.places, texts
    end
    return list
  end

  -- Answers { ids, heads, the head of each, rows, leases, shapes, asides } of what a claim gave, or the like.
  function describeCrowds(claimed, ends, knownResults)
    local ids, crowds = claimed.ids, claimed.crowds
    local heads, headOfEach, shapeList = headsOf(crowds, #ids)
    return { textOfIds(ids), heads, headOfEach, claimed.rows, ends, shapeList, asidesOf(ids, crowds, knownResults, claimed.rules) }
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
    return describeCrowds({ ids = known, crowds = crowdsByTask(known), rows = found }, leasesOf(known), knownResults)
  end
end
