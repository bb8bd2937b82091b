/**
 * Binaries are of nobody by themselves: they are seen with the security context that they name, or, when they name none,
 * with a document that points to them. Whoever writes documents cannot so reach what names another context. SECURITY CP-22
 */
import type { Filter } from '../ports/policy.ts';
import { any } from './filters.ts';

/** Types whose attachments are Binaries. */
export const DOCUMENTS = ['DocumentReference', 'Media', 'DiagnosticReport'] as const;
/** Types that are understood as a security context; any other lets nobody in. */
export const CONTEXTS = [
  'Patient',
  ...DOCUMENTS,
  'Encounter',
  'Observation',
  'Composition',
  'QuestionnaireResponse',
  'Consent',
  'Communication',
] as const;

const by = (kind: 'attached' | 'context', type: string, of: Filter): Filter =>
  of.kind === 'nothing' ? of : { kind, type, of };

/** Those that name as their security context what `of` allows. */
export const inContext = (of: (type: string) => Filter): Filter =>
  any(...CONTEXTS.map((type) => by('context', type, of(type))));

/** And those without a context to which a document points that `of` allows. */
export const pointedTo = (of: (type: string) => Filter): Filter =>
  any(inContext(of), ...DOCUMENTS.map((type) => by('attached', type, of(type))));
