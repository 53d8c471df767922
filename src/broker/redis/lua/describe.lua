-- How tasks leave the store: heads and rows as they are kept, and beside them what these tasks need to be read.

-- The ends of leases, in the order of `ids`; 0 for what does not run. One alone when all of them were given just now, or none runs.
local function leasesOf(ids, leaseUntil)
  if leaseUntil then return { leaseUntil } end
  local isAnyRunning = false
  for _, id in ipairs(ids) do
    isAnyRunning = isAnyRunning or tasks[id][STATE] == 'running'
  end
  if not isAnyRunning then return { 0 } end
  return leases.endsOf(ids)
end

-- What heads have in common, each once, and which of them is whose, nothing when there is one; their shapes as id, text, …
local function headsOf(ids)
  local heads, numbers, headOfEach, seen, list = {}, {}, {}, {}, {}
  for i, id in ipairs(ids) do
    local task = tasks[id]
    local number = numbers[task]
    if not number then
      local text = packed[task] or cmsgpack.pack(task)
      number = numbers[text] or #heads + 1
      heads[number], numbers[task], numbers[text] = text, number, number
      local shape = task[SHAPE]
      if not seen[shape] then
        seen[shape] = true
        list[#list + 1], list[#list + 2] = shape, shapeTexts[shape]
      end
    end
    headOfEach[i] = number
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

-- The texts beside the heads: letter, the places of those that have it, nothing when all do, their texts, … `known` are results that
-- were read before.
local function asidesOf(ids, known)
  local wanted, list = {}, {}
  local last, letters
  for place, id in ipairs(ids) do
    local task = tasks[id]
    if task ~= last then
      last, letters = task, lettersOf(task[ASIDE])
    end
    for i = 1, #letters do
      local letter = letters[i]
      local of = wanted[letter] or { ids = {}, places = {} }
      wanted[letter] = of
      local n = #of.ids + 1
      of.ids[n], of.places[n] = id, place
    end
  end
  for letter, of in pairs(wanted) do
    local texts
    if letter == 'i' or (letter == 'r' and known) then
      texts = {}
      for i, id in ipairs(of.ids) do
        texts[i] = letter == 'i' and resultOf(id) or known[id]
      end
    else
      texts = call('HMGET', prefix .. besides[letter], unpack(of.ids))
    end
    list[#list + 1], list[#list + 2], list[#list + 3] = letter, #of.ids == #ids and '' or table.concat(of.places, ' '), texts
  end
  return list
end

-- Answers { ids, heads, the head of each, rows, leases, shapes, asides } of those that are known, in the order of `ids`. What was changed
-- is written before.
local function describe(ids, leaseUntil, knownResults)
  load(ids, true)
  local known, found = {}, {}
  for _, id in ipairs(ids) do
    if tasks[id] then
      known[#known + 1], found[#found + 1] = id, rows[id]
    end
  end
  local heads, headOfEach, shapeList = headsOf(known)
  return { table.concat(known, ' '), heads, headOfEach, found, leasesOf(known, leaseUntil), shapeList, asidesOf(known, knownResults) }
end
