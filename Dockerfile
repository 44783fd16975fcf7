# One image for each service: docker build --target service --build-arg SERVICE=state .
# Only that service's distributions are inside, built from the wheels of this tree.

# The AWS services beside DynamoDB, for a machine without an account.
FROM python:3.11-slim AS fake-aws
COPY constraints.txt /constraints.txt
RUN useradd --system --uid 10001 daylily \
    && python -m venv /opt/moto && /opt/moto/bin/pip install --quiet -c /constraints.txt "moto[server]"
USER daylily
EXPOSE 5001
HEALTHCHECK --interval=5s --timeout=30s --start-period=300s --retries=12 \
    CMD ["/opt/moto/bin/python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:5001/moto-api/')"]
CMD ["/opt/moto/bin/moto_server", "-H", "0.0.0.0", "-p", "5001"]

FROM python:3.11-slim AS wheels
WORKDIR /src
COPY constraints.txt ./
RUN python -m venv /build && /build/bin/pip install --quiet -c constraints.txt hatchling
COPY protos protos
COPY clients clients
COPY services services
RUN /build/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /wheels \
    ./protos ./clients ./services/runtime ./services/state ./services/scheduler ./services/notifier ./services/gateway

# The whole environment is made in a stage of its own, so that the image has no pip cache and no wheels.
# Compiled here: who runs it cannot write, and would compile every library at each start.
FROM python:3.11-slim AS environment
ARG SERVICE
COPY constraints.txt /constraints.txt
COPY --from=wheels /wheels /wheels
RUN python -m venv --without-pip /opt/daylily \
    && python -m pip --quiet --python /opt/daylily/bin/python install \
    -c /constraints.txt --find-links /wheels "daylily-${SERVICE}"

FROM python:3.11-slim AS service
ARG SERVICE
ARG PORT
RUN useradd --system --uid 10001 --home-dir /var/lib/daylily --create-home daylily
COPY --from=environment /opt/daylily /opt/daylily
# It listens for the other containers; whoever publishes a port decides who else reaches it.
ENV PATH=/opt/daylily/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    SERVICE=${SERVICE} \
    DAYLILY_HOST=0.0.0.0 \
    DAYLILY_PORT=${PORT}
USER daylily
WORKDIR /var/lib/daylily
EXPOSE ${PORT}
# Healthy at the first good answer. The patience is for a laptop that starts everything at once.
# By its file (-P: beside it lies a logging.py), as asking costs a fifth of loading the package.
HEALTHCHECK --interval=5s --timeout=30s --start-period=300s --retries=12 \
    CMD ["sh", "-c", "exec python -P /opt/daylily/lib/python3.*/site-packages/daylily_runtime/healthcheck.py"]
# exec: SIGTERM reaches the service itself.
CMD ["sh", "-c", "exec daylily-${SERVICE} serve"]
