/** Finds the known word nearest to a mistyped one; every "Did you mean" comes from here. */

const wordLengthMax = 64;

/**
 * Returns the known word nearest to `word`, or null when none is near enough to be worth suggesting.
 * Near means at most one edit (insert, delete, replace, swap of neighbours) for each three
 * characters, at least one and at most three. Case does not count. Words over 64 characters are
 * never near. The first of equally near words wins.
 */
export function nearest(word: string, known: Iterable<string>): string | null {
  if (word.length > wordLengthMax) return null;
  const wanted = word.toLowerCase();
  let best: string | null = null;
  let bestDistance = Math.min(3, Math.max(1, Math.floor(word.length / 3))) + 1;
  for (const candidate of known) {
    if (candidate.length > wordLengthMax) continue;
    const distance = editDistance(wanted, candidate.toLowerCase(), bestDistance);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Returns ` Did you mean <word>?` with a leading space, or an empty string when nothing is near. */
export function didYouMean(word: string, known: Iterable<string>, suffix = ''): string {
  const found = nearest(word, known);
  return found === null ? '' : ` Did you mean ${found}${suffix}?`;
}

/** Damerau-Levenshtein distance (optimal string alignment); gives up and returns `limit` once it cannot be less. */
function editDistance(a: string, b: string, limit: number): number {
  if (a === b) return 0;
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    let rowBest = row;
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let cost = Math.min(
        at(previous, column) + 1,
        at(current, column - 1) + 1,
        at(previous, column - 1) + (same ? 0 : 1),
      );
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (swapped) cost = Math.min(cost, at(beforePrevious, column - 2) + 1);
      current.push(cost);
      rowBest = Math.min(rowBest, cost);
    }
    if (rowBest >= limit) return limit;
    beforePrevious = previous;
    previous = current;
  }
  return Math.min(limit, at(previous, b.length));
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY;
}
