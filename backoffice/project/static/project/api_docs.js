"use strict";

// Shows the API with the session of the person who reads it; writes carry the CSRF token.
const target = document.getElementById("swagger-ui");
const token = document.querySelector("#csrf input").value;

SwaggerUIBundle({
  domNode: target,
  url: target.dataset.schema,
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  deepLinking: true,
  validatorUrl: null,
  requestInterceptor: (request) => {
    if (new URL(request.url, location.href).origin === location.origin) {
      request.headers["X-CSRFToken"] = token;
    }
    return request;
  },
});
