import { apacheMissing, startApache } from '../../../../test/support/apache.ts';
import { objectBackendConformance } from '../backend.conformance.ts';
import { webdavKind } from './webdav.ts';

const missing = process.env['HOLDFAST_REQUIRE_REAL'] === '1' ? null : apacheMissing();

objectBackendConformance(
  'webdav on Apache mod_dav',
  async (t) => {
    const apache = await startApache();
    t.after(() => apache.stop());
    const { url, username, password } = apache;
    const settings = webdavKind.validate({ config: { url, username }, secrets: { password } });
    return { backend: webdavKind.open(settings) };
  },
  { skip: missing ?? false, ownNames: ['blobs', 'uploads', '_b', '_d', 'x_m', '_2f', 'a_b', 'a_d'] },
);
