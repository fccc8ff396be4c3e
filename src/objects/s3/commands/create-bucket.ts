import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { requireBucketName } from '../../bucket-name.ts';
import { objectError } from '../../errors.ts';
import type { S3Command, S3Context } from '../command.ts';
import { expectElement, textIn } from '../xml/find.ts';
import { parseXml } from '../xml/reader.ts';

const xmlBytesMax = 65_536;
/** Where making one's own bucket again is success, and where a location need not be named. */
const classicRegion = 'us-east-1';

export const createBucket: S3Command = {
  name: 'CreateBucket',
  method: 'PUT',
  resource: 'bucket',
  selectedBy: [],
  alsoTakes: [],
  action: 's3:CreateBucket',
  isWithoutBucket: true,
  handle: async (context) => {
    const { gateway, bucketName, actor, region } = context;
    requireBucketName(bucketName);
    const isLockEnabled = context.header('x-amz-bucket-object-lock-enabled')?.toLowerCase() === 'true';
    requireRegion(await readLocation(context), region);
    try {
      await gateway.buckets.create(bucketName, actor, isLockEnabled ? { isLockEnabled, versioning: 'enabled' } : {});
    } catch (error) {
      const isOwn = error instanceof HoldfastError && error.details['s3'] === 'BucketAlreadyOwnedByYou';
      if (!isOwn || region !== classicRegion) throw error;
    }
    return { status: 200, headers: { location: `/${bucketName}` } };
  },
};

async function readLocation(context: S3Context): Promise<string> {
  const text = await context.text(xmlBytesMax);
  if (text.trim() === '') return '';
  const root = expectElement(parseXml(text), 'CreateBucketConfiguration', ['LocationConstraint']);
  return textIn(root, 'LocationConstraint') ?? '';
}

function requireRegion(location: string, region: string): void {
  const isHere = location === '' || location === region || (location === 'EU' && region === 'eu-west-1');
  if (!isHere) throw objectError('IllegalLocationConstraintException', { region, value: location.slice(0, 100) });
}
