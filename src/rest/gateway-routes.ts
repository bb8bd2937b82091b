/** Routes of messages: EPS, claims, and what translates and checks without storing anything. docs/gateway.md, docs/eps.md */
import { create } from './interactions/create.ts';
import { processMessage } from './interactions/process-message.ts';
import { searchType } from './interactions/search-type.ts';
import { withNhsHeaders } from './nhs-headers.ts';
import { adjudicateClaim, submitEligibility } from './operations/claims.ts';
import { convertOperation, prepareOperation } from './operations/convert.ts';
import { epsMessageOr, epsMessageStatus, release, trackOr } from './operations/eps.ts';
import { doseToTextOperation, validateOperation, verifySignatureOperation } from './operations/eps-checks.ts';
import type { Route } from './route.ts';

/** Before the routes of every type, of which some are special here. */
export const GATEWAY_ROUTES: readonly Route[] = [
  {
    method: 'POST',
    path: '/$process-message',
    interaction: 'process-message',
    level: 'operation',
    access: { rights: ['messages:send', 'eps:prescribe', 'eps:dispense'] },
    handle: epsMessageOr({ right: 'messages:send' }, withNhsHeaders(processMessage)),
  },
  {
    method: 'GET',
    path: '/$eps-message',
    interaction: 'eps-message',
    level: 'operation',
    access: { rights: ['eps:prescribe', 'eps:dispense'] },
    handle: epsMessageStatus,
  },
  {
    method: 'POST',
    path: '/Task/$release',
    interaction: 'release',
    level: 'operation',
    access: { right: 'eps:dispense' },
    handle: withNhsHeaders(release),
  },
  {
    method: 'POST',
    path: '/Claim/$adjudicate',
    interaction: 'adjudicate',
    level: 'operation',
    access: { right: 'claims:adjudicate' },
    handle: adjudicateClaim,
  },
  {
    method: 'POST',
    path: '/CoverageEligibilityRequest/$submit',
    interaction: 'submit',
    level: 'operation',
    access: { right: 'claims:adjudicate' },
    handle: submitEligibility,
  },
  {
    method: 'GET',
    path: '/Task',
    interaction: 'search-type',
    level: 'type',
    access: { letters: 's', orRight: 'eps:track' },
    handle: trackOr({ letters: 's' }, searchType),
  },
  {
    method: 'POST',
    path: '/Task',
    interaction: 'create',
    level: 'type',
    access: { letters: 'c', orRight: 'eps:dispense' },
    handle: epsMessageOr({ letters: 'c' }, create),
  },
  {
    method: 'POST',
    path: '/Claim',
    interaction: 'create',
    level: 'type',
    access: { letters: 'c', orRight: 'eps:dispense' },
    handle: epsMessageOr({ letters: 'c' }, create),
  },
  {
    method: 'POST',
    path: '/$validate',
    interaction: 'validate',
    level: 'operation',
    access: { right: 'convert' },
    handle: validateOperation,
  },
  {
    method: 'POST',
    path: '/$dose-to-text',
    interaction: 'dose-to-text',
    level: 'operation',
    access: { right: 'convert' },
    handle: doseToTextOperation,
  },
  {
    method: 'POST',
    path: '/$verify-signature',
    interaction: 'verify-signature',
    level: 'operation',
    access: { right: 'convert' },
    handle: verifySignatureOperation,
  },
  {
    method: 'POST',
    path: '/$convert',
    interaction: 'convert',
    level: 'operation',
    access: { right: 'convert' },
    handle: convertOperation,
  },
  {
    method: 'POST',
    path: '/$prepare',
    interaction: 'prepare',
    level: 'operation',
    access: { right: 'convert' },
    handle: withNhsHeaders(prepareOperation),
  },
];
