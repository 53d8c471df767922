/** The schemas of what operations on groups answer. */

import { z } from 'zod';
import type { GroupDocument, GroupListDocument } from './group.ts';
import { documentSchema, next, pause } from './output.ts';

export const groupOutput = documentSchema<GroupDocument>()(
  'Group',
  z.strictObject({
    name: z.string(),
    state: z.enum(['active', 'paused']),
    weight: z.number(),
    pause: pause.nullable(),
  }),
);

export const groupListOutput = documentSchema<GroupListDocument>()(
  'GroupList',
  z.strictObject({ groups: z.array(groupOutput), next }),
);
