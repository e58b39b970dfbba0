// Runs in the browser, after swagger-ui-bundle.js. A file of its own, as the content security policy forbids inline code.
window.ui = window.SwaggerUIBundle({ url: '/api/openapi.json', dom_id: '#swagger-ui', deepLinking: true });
