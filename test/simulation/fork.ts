/** A chance of its own for a part that draws more or less often on one store than on another: the story goes on as there. */

import { type Chance, seededChance } from '../../src/core/chance.ts';

export const forkOf = (chance: Chance): Chance => seededChance(Math.floor(chance.float() * 2 ** 32));
