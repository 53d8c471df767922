/** In Next.js: this file is `app/admin/tasks/[[...path]]/route.ts`. */

import { tf } from './dashboard.ts';

export const runtime = 'nodejs';
export const { GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS } = tf.next();
