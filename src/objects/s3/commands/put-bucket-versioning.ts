import type { Versioning } from '../../bucket.ts';
import { objectError } from '../../errors.ts';
import type { S3Command, XmlElement } from '../command.ts';
import { expectElement, wordIn } from '../xml/find.ts';
import { changeSettings } from './settings.ts';

const bytesMax = 16_384;

export const putBucketVersioning: S3Command = {
  name: 'PutBucketVersioning',
  method: 'PUT',
  resource: 'bucket',
  selectedBy: ['versioning'],
  alsoTakes: [],
  action: 's3:PutBucketVersioning',
  handle: async (context) => {
    const versioning = parseVersioning(await context.xml(bytesMax));
    await changeSettings(context, (settings) => {
      if (settings.isLockEnabled && versioning !== 'enabled') {
        throw objectError('InvalidBucketState', {}, 'A bucket with object lock keeps its versioning.');
      }
      return { ...settings, versioning };
    });
    return { status: 200 };
  },
};

/** The versioning that a document asks for. Throws `MalformedXML`, and `NotImplemented` for the deletion of versions by MFA. */
function parseVersioning(root: XmlElement): Versioning {
  expectElement(root, 'VersioningConfiguration', ['Status', 'MfaDelete']);
  const status = wordIn(root, 'Status', ['Enabled', 'Suspended']);
  if (status === undefined) throw objectError('IllegalVersioningConfigurationException', {}, 'Status is missing.');
  if (wordIn(root, 'MfaDelete', ['Enabled', 'Disabled']) === 'Enabled') {
    throw objectError('NotImplemented', {}, 'MfaDelete is not implemented.');
  }
  return status === 'Enabled' ? 'enabled' : 'suspended';
}
