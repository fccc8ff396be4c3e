import type { BackendMaker } from '../registry.ts';
import { createCloudStackBackend } from './backend.ts';

/** From the first look at a job to the last ones, the waits grow this much. */
const pollingGrowthMax = 5;

/** The settings of this backend; those that can be absent are needed all the same. */
export interface CloudStackSettings {
  readonly cloudstackApiUrl: string | undefined;
  readonly cloudstackApiKey: string | undefined;
  readonly cloudstackSecretKey: string | undefined;
  readonly cloudstackZoneId: string | undefined;
  readonly cloudstackDiskOfferingId: string | undefined;
  readonly cloudstackPollIntervalMs: number;
}

/** The backend to make, or which settings are missing or wrong. */
export function cloudStackMaker(settings: CloudStackSettings): BackendMaker {
  const {
    cloudstackApiUrl: url,
    cloudstackApiKey: apiKey,
    cloudstackSecretKey: secretKey,
    cloudstackZoneId: zoneId,
    cloudstackDiskOfferingId: diskOfferingId,
  } = settings;
  if (!url || !apiKey || !secretKey || !zoneId || !diskOfferingId) {
    const named = {
      CLOUDSTACK_API_URL: url,
      CLOUDSTACK_API_KEY: apiKey,
      CLOUDSTACK_SECRET_KEY: secretKey,
      CLOUDSTACK_ZONE_ID: zoneId,
      CLOUDSTACK_DISK_OFFERING_ID: diskOfferingId,
    };
    const missing = Object.entries(named).filter(([, value]) => !value);
    const list = missing.map(([name]) => name).join(', ');
    return { missing: `The cloudstack backend is not configured: set ${list}, and start the server again.` };
  }
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? '')) {
    return { missing: 'The cloudstack backend is not configured: CLOUDSTACK_API_URL is no http or https address.' };
  }
  const { cloudstackPollIntervalMs: firstMs } = settings;
  const options = { name: 'cloudstack', url, apiKey, secretKey, zoneId, diskOfferingId };
  return () => createCloudStackBackend({ ...options, polling: { firstMs, lastMs: firstMs * pollingGrowthMax } });
}
