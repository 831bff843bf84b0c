# The constraints pin every package, so an image that is built later has the versions that were tested.
FROM python:3.12-slim AS build

WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY documents documents
COPY indexes indexes
COPY service service
# Without the `embedded` extra, because MongoDB runs outside the container. Without pip in the environment, because all
# of it is copied into the final image.
RUN python -m venv --without-pip /opt/modeldeck \
    && pip --python /opt/modeldeck/bin/python install --no-cache-dir -c constraints.txt .


FROM python:3.12-slim

LABEL org.opencontainers.image.title="Modeldeck" \
      org.opencontainers.image.description="An access-controlled directory of LLM model configurations on MongoDB" \
      org.opencontainers.image.licenses="Apache-2.0"

# The id is fixed, because files that are mounted from outside, such as secrets, must belong to it.
RUN groupadd --gid 10001 modeldeck \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin modeldeck

COPY --from=build /opt/modeldeck /opt/modeldeck

ENV PATH=/opt/modeldeck/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1

# A number, so that an orchestrator can check that the user is not root.
USER 10001:10001
EXPOSE 8000

# urllib would use a proxy that the environment names, and the slim image has no curl.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import http.client, sys; connection = http.client.HTTPConnection('127.0.0.1', 8000, timeout=4); connection.request('GET', '/health/ready'); sys.exit(connection.getresponse().status != 200)"]

ENTRYPOINT ["modeldeck"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
