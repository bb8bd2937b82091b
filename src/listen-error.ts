/** The port could not be bound. */
export class ListenError extends Error {
  constructor(message: string, cause: unknown) {
    super(message, { cause });
    this.name = 'ListenError';
  }
}

interface Listening {
  readonly port: number;
  readonly host: string;
  /** That names the port. */
  readonly setting: string;
  /** What is listened for: `HL7 v2`. */
  readonly what?: string;
}

/** The system's error in words that say which setting to change. */
export function explainListening(cause: unknown, { port, host, setting, what }: Listening): ListenError {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE') {
    const which = what === undefined ? `port ${port}` : `port ${port}, for ${what},`;
    return new ListenError(`${which} is in use by another program: stop it, or set ${setting}`, cause);
  }
  if (code === 'EACCES')
    return new ListenError(`port ${port} may not be used by this user: set ${setting} to 1024 or higher`, cause);
  return new ListenError(`${host}:${port} cannot be listened on (${code})`, cause);
}
