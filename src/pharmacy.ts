/** Composition of the pharmacy's side: tokens, their routes, queue, register, and what is done in the background. docs/pharmacy.md */
import type { Config } from './config.ts';
import { createPartners } from './gateways/partners.ts';
import { createPharmacyJobs } from './jobs/pharmacy-jobs.ts';
import type { JobSet } from './jobs/runner.ts';
import type { ContextLog } from './log.ts';
import { serviceCaller } from './policy/service-caller.ts';
import type { AuditLog } from './ports/audit.ts';
import type { Cipher } from './ports/cipher.ts';
import type { Clock } from './ports/clock.ts';
import type { Policy } from './ports/policy.ts';
import type { PrescriptionTokens } from './ports/prescription-tokens.ts';
import type { ResourceStore } from './ports/resource-store.ts';
import type { Pools } from './postgres/pools.ts';
import type { OpenStore } from './postgres/store.ts';
import { openPrescriptionTokens } from './prescription-tokens.ts';
import type { RateLimits } from './rest/rate-limit.ts';
import { createCollectionCodeRoutes } from './rest/workflow/collection-code-routes.ts';
import type { DispensingParts } from './rest/workflow/dispensing-parts.ts';
import { createEpsNotificationRoutes } from './rest/workflow/eps-notification-routes.ts';
import { createOfflineRoutes } from './rest/workflow/offline-routes.ts';
import { createPharmacyRoutes } from './rest/workflow/pharmacy-routes.ts';
import { createPhotoRoutes, photoBodyMax } from './rest/workflow/photo-routes.ts';
import { createQueueEvents } from './rest/workflow/queue-events.ts';
import { createQueueRoutes } from './rest/workflow/queue-routes.ts';
import { createReadyRoutes } from './rest/workflow/ready-routes.ts';
import { createRegisterRoutes } from './rest/workflow/register-routes.ts';
import type { WorkflowRoute } from './rest/workflow/route.ts';
import { createTokenPrintRoutes } from './rest/workflow/token-print-routes.ts';
import { createVerificationRoutes } from './rest/workflow/verification-routes.ts';
import { createWebhookRoutes } from './rest/workflow/webhook-routes.ts';
import type { SearchRequest } from './standards/fhir/search/request.ts';
import { createCollectionDesk } from './workflow/dispensing/collection-code.ts';
import { createExpire } from './workflow/dispensing/expire.ts';
import type { DispenseGuard } from './workflow/dispensing/guarded-dispense.ts';
import { createNominate } from './workflow/dispensing/nominate.ts';
import { createPharmacies } from './workflow/dispensing/pharmacies.ts';
import { createPharmacyNotices, type PharmacyNotices } from './workflow/dispensing/pharmacy-notices.ts';
import { createPharmacyRegister, type PharmacyRegister } from './workflow/dispensing/pharmacy-register.ts';
import { createCallerCounts, pharmacyCaller } from './workflow/dispensing/queue-counts.ts';
import { PRESCRIPTION_TOKEN } from './workflow/dispensing/queue-entry.ts';
import { createReadyNotice } from './workflow/dispensing/ready-notice.ts';
import type { FindCodeWay } from './workflow/notices/send-code.ts';
import { epsDispensedJobs } from './workflow/prescribing/eps-dispensed.ts';
import type { FindSigner } from './workflow/subscriptions/signer.ts';

export interface PharmacyParts {
  readonly config: Pick<
    Config,
    | 'messageTimeZone'
    | 'pharmacyCodeSystem'
    | 'dispensingCountries'
    | 'spineUrl'
    | 'collectionCodeFor'
    | 'collectionCodeWaiver'
    | 'dispensingPhoto'
    | 'dispensingPhotoFor'
    | 'dispensingPhotoBytes'
  >;
  readonly dataDir: string;
  readonly pools: Pools;
  readonly cipher: Cipher;
  /** How clients reach the server, without a trailing slash. */
  readonly url: string;
  /** Audited. */
  readonly store: ResourceStore;
  /** The same, not audited. */
  readonly visible: ResourceStore;
  /** Not audited: for what is looked up whoever asks; what they are told is in the trail. */
  readonly plain: OpenStore;
  readonly searchOf: (type: string, query: string) => SearchRequest;
  readonly policy: Pick<Policy, 'filterFor'>;
  readonly findSigner: FindSigner;
  /** How a code gets to a patient. */
  readonly findCodeWay: FindCodeWay;
  readonly limits: RateLimits;
  readonly audit: AuditLog;
  readonly now: Clock;
  readonly log: ContextLog;
}

export interface Pharmacy {
  readonly tokens: PrescriptionTokens;
  /** The pharmacies that people may choose. */
  readonly register: PharmacyRegister;
  readonly routes: readonly WorkflowRoute[];
  readonly jobs: JobSet;
  /** Paragraphs of a pharmacy's digest as of now. */
  readonly digestOf: PharmacyNotices['digestOf'];
  /** What the FHIR API asks before it takes that something was dispensed. */
  readonly guard: Omit<DispenseGuard, 'baseUrl'>;
  stop(): void;
}

/** Proofs of identity that are taken for controlled drugs. */
const IDENTITY_TYPES = ['nin', 'driving_licence', 'passport'];

const WEBHOOK_BYTES = 64 * 1024;

export function openPharmacy(parts: PharmacyParts): Pharmacy {
  const { store, plain, searchOf, now, log } = parts;
  const { tokens, keys } = openPrescriptionTokens(parts);
  const partners = createPartners({
    store: plain,
    caller: serviceCaller('dispensing'),
    searchOf,
    unknownPartners: 'refuse',
    now,
  });
  const pharmacies = createPharmacies({
    store: plain,
    countries: parts.config.dispensingCountries,
    pharmacyCodeSystem: parts.config.pharmacyCodeSystem,
    organizationOfClient: async (clientId) => (await partners.endpointOf('client', clientId))?.organizationId,
    now,
  });
  const collection = createCollectionDesk({
    store: plain,
    codes: plain.dispensing.codes,
    keys,
    findWay: parts.findCodeWay,
    askedFor: parts.config.collectionCodeFor,
    isWaivable: parts.config.collectionCodeWaiver === 'allowed',
    now,
  });
  const routed: DispensingParts = {
    ...parts,
    ...plain.dispensing,
    tokens,
    keys,
    pharmacies,
    collection,
    photos: {
      mode: parts.config.dispensingPhoto,
      askedFor: parts.config.dispensingPhotoFor,
      bytesMax: parts.config.dispensingPhotoBytes,
    },
    identityTypes: IDENTITY_TYPES,
    timeZone: parts.config.messageTimeZone,
    // Without a Spine there is nobody to tell.
    ...(parts.config.spineUrl !== undefined && { jobsOf: epsDispensedJobs }),
  };
  const register = createPharmacyRegister({
    store: plain,
    changes: plain.changes,
    searchOf,
    pharmacyCodeSystem: parts.config.pharmacyCodeSystem,
    timeZone: parts.config.messageTimeZone,
    now,
  });
  const events = createQueueEvents({
    changes: plain.changes,
    isQueueTask: (content) => (content.includes(PRESCRIPTION_TOKEN) ? ownerOf(content) : undefined),
    onError: (error) => log.error('the queues of pharmacies cannot be followed', { error }),
  });
  const { messageTimeZone: timeZone } = parts.config;
  const { queue, attempts } = plain.dispensing;
  const counts = createCallerCounts(routed);
  const notices = createPharmacyNotices({
    store: plain,
    queue,
    waiting: (pharmacyId) => counts.open(pharmacyCaller(pharmacyId), pharmacyId),
    pharmacies,
    url: parts.url,
    timeZone,
    now,
  });
  const routes = [
    ...createVerificationRoutes(routed),
    ...createCollectionCodeRoutes(routed),
    ...createPhotoRoutes(routed),
    ...createReadyRoutes(routed),
    ...createEpsNotificationRoutes(routed),
    ...createOfflineRoutes(routed),
    ...createPharmacyRoutes({ register, store, renominate: createNominate({ ...routed, now }), now }),
    ...createTokenPrintRoutes(routed),
    ...createQueueRoutes({ ...routed, events }),
    ...createRegisterRoutes(routed),
  ];
  // More only where an event may bring a photo.
  const bodyBytesMax = WEBHOOK_BYTES + (parts.config.dispensingPhoto === 'off' ? 0 : photoBodyMax(routed.photos));
  return {
    tokens,
    register,
    jobs: createPharmacyJobs({
      notices,
      tellReady: createReadyNotice({ store: plain, searchOf, tokens, pharmacies, now }),
      expire: createExpire({ store: plain, queue, now }),
      attempts,
      codes: plain.dispensing.codes,
      now,
      log,
    }),
    digestOf: notices.digestOf,
    guard: { ...routed, codes: plain.dispensing.codes, isCodeNeeded: collection.isNeeded, photos: routed.photos },
    stop: events.stop,
    routes: [...routes, ...createWebhookRoutes({ ...parts, bodyBytesMax }, routes)],
  };
}

/** The pharmacy of a queue's Task. */
const ownerOf = (content: string): string | undefined =>
  /"owner":\{"reference":"Organization\/([A-Za-z0-9.-]{1,64})"/.exec(content)?.[1];
