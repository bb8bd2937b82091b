// Security keys and passkeys: hands what the server asks to the browser, and the browser's answer to the form.
// Everything else on the pages works without JavaScript.
(() => {
  const form = document.querySelector('form[data-security-key]');
  if (!form || !window.PublicKeyCredential) return;

  const bytes = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer)))
      .replaceAll('+', '-')
      .replaceAll('/', '_')
      .replaceAll('=', '');
  const credentials = (list = []) => list.map((one) => ({ ...one, id: bytes(one.id) }));

  const register = async (options) => {
    const made = await navigator.credentials.create({
      publicKey: {
        ...options,
        challenge: bytes(options.challenge),
        user: { ...options.user, id: bytes(options.user.id) },
        excludeCredentials: credentials(options.excludeCredentials),
      },
    });
    return {
      ...common(made),
      response: {
        clientDataJSON: text(made.response.clientDataJSON),
        attestationObject: text(made.response.attestationObject),
        transports: made.response.getTransports?.() ?? [],
      },
    };
  };

  const assert = async (options) => {
    const got = await navigator.credentials.get({
      publicKey: {
        ...options,
        challenge: bytes(options.challenge),
        allowCredentials: credentials(options.allowCredentials),
      },
    });
    return {
      ...common(got),
      response: {
        clientDataJSON: text(got.response.clientDataJSON),
        authenticatorData: text(got.response.authenticatorData),
        signature: text(got.response.signature),
        ...(got.response.userHandle && { userHandle: text(got.response.userHandle) }),
      },
    };
  };

  const common = (credential) => ({
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    clientExtensionResults: {},
    ...(credential.authenticatorAttachment && { authenticatorAttachment: credential.authenticatorAttachment }),
  });

  form.hidden = false;
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const problem = form.querySelector('[data-problem]');
    problem.textContent = '';
    try {
      const options = JSON.parse(form.dataset.options);
      const answer = await (form.dataset.securityKey === 'register' ? register : assert)(options);
      form.elements.namedItem('answer').value = JSON.stringify(answer);
      form.submit();
    } catch {
      problem.textContent = 'The security key did not answer. Try again, or use another way.';
    }
  });
})();
