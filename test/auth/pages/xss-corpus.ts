/** Texts that try to become scripts: what runs, behind what leads out of where a text may stand. Each would call `alert`. */
const RUNS = [
  '<script>alert(1)</script>',
  '<script src="data:text/javascript,alert(1)"></script>',
  '<img src=x onerror=alert(1)>',
  '<svg onload=alert(1)>',
  '<svg><animate onbegin=alert(1) attributeName=x dur=1s>',
  '<iframe srcdoc="<script>parent.alert(1)</script>"></iframe>',
  '<iframe src="javascript:parent.alert(1)"></iframe>',
  '<details open ontoggle=alert(1)>',
  '<input autofocus onfocus=alert(1)>',
  '<video><source onerror=alert(1)></video>',
  '<math><mtext></mtext><style><img src=x onerror=alert(1)></style></math>',
  '<meta http-equiv="refresh" content="0;url=javascript:alert(1)">',
];
const WAYS_OUT = ['', '">', "'>", '</title>', '</textarea></script></style>', '--><!-- -->', '\u0000', '&lt;&#60;'];

export const XSS_CORPUS: readonly string[] = WAYS_OUT.flatMap((out) => RUNS.map((run) => out + run));
