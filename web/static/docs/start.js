// Starts Swagger UI on the page; in a file of its own, since the page allows no inline script.
window.addEventListener("load", function () {
  window.SwaggerUIBundle({
    url: "/api/openapi.json",
    dom_id: "#swagger-ui",
    deepLinking: true,
    validatorUrl: null,
    presets: [window.SwaggerUIBundle.presets.apis],
    onComplete: function () {
      document.getElementById("operations").hidden = true;
    },
  });
});
