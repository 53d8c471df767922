// Enqueues and simply ends: nothing it opened may keep it alive.

import { double } from './tasks.ts';

const handle = await double.enqueue({ n: 21 });
console.log(handle.id);
