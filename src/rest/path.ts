/** Paths below the base as segments. SECURITY: IN-38 */
import { badRequest } from '../standards/fhir/outcome.ts';

/** The decoded segments of `/Patient/1/`; throws 400 for an encoding that would hide a separator. */
export function decodePath(path: string): string[] {
  if (path === '' || path === '/') return [];
  const segments = (path.endsWith('/') ? path.slice(1, -1) : path.slice(1)).split('/');
  if (!path.includes('%')) return segments;
  return segments.map((segment) => {
    let text: string;
    try {
      text = decodeURIComponent(segment);
    } catch {
      throw badRequest('The path holds a % that is not followed by two hexadecimal digits');
    }
    if (text.includes('/') || text.includes('\\') || text.includes('\u0000'))
      throw badRequest('The path holds an encoded slash or NUL');
    return text;
  });
}
