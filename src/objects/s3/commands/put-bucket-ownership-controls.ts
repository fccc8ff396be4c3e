import { objectError } from '../../errors.ts';
import type { S3Command } from '../command.ts';
import { childOf, expectElement, malformed, wordIn } from '../xml/find.ts';

const bytesMax = 16_384;
const ownerships = ['BucketOwnerEnforced', 'BucketOwnerPreferred', 'ObjectWriter'] as const;

export const putBucketOwnershipControls: S3Command = {
  name: 'PutBucketOwnershipControls',
  method: 'PUT',
  resource: 'bucket',
  selectedBy: ['ownershipControls'],
  alsoTakes: [],
  action: 's3:PutBucketOwnershipControls',
  handle: async (context) => {
    const root = expectElement(await context.xml(bytesMax), 'OwnershipControls', ['Rule']);
    const rule = childOf(root, 'Rule');
    if (rule === undefined) throw malformed('OwnershipControls needs a Rule.');
    const ownership = wordIn(expectElement(rule, 'Rule', ['ObjectOwnership']), 'ObjectOwnership', ownerships);
    if (ownership === undefined) throw malformed('Rule needs an ObjectOwnership.');
    // The others turn ACLs on, and there are none.
    if (ownership !== 'BucketOwnerEnforced') throw objectError('AccessControlListNotSupported');
    return { status: 200 };
  },
};
